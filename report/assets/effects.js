"use strict";
// The page of all effects: its studies in the order that the reader asks for. Without this script they stand by their first effect.
(() => {
  const list = document.getElementById("studies");
  if (!list) return;
  const sorting = document.getElementById("sort");
  const rows = [...list.children].map((row, order) => ({ row, order, ...row.dataset }));
  const { compare } = new Intl.Collator("en");
  // A study without a margin comes last.
  const largest = (key) => (a, b) =>
    (a[key] === undefined) - (b[key] === undefined) || Number(b[key] ?? 0) - Number(a[key] ?? 0);
  const orders = {
    "": () => 0,
    margins: largest("margins"),
    word: (a, b) => a.word - b.word,
    family: (a, b) => compare(a.family, b.family),
    name: (a, b) => compare(a.name, b.name),
  };

  function sort() {
    const order = orders[sorting.value];
    list.append(...[...rows].sort((a, b) => order(a, b) || a.order - b.order).map((entry) => entry.row));
  }

  sorting.addEventListener("change", sort);
  sorting.form.hidden = false;
})();
