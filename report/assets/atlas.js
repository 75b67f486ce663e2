"use strict";
// The atlas: search, filters and sorting over rows that are in the page already. The state lives in the URL's hash, as
// #q=mixup&family=attribution&sort=effect&reverse=1, so that a view can be shared; a hash without "=" is a place on the page.
(() => {
  const $ = (id) => document.getElementById(id);
  const form = document.querySelector("form.controls");
  const body = document.querySelector("table.papers tbody");
  const headers = [...document.querySelectorAll("th[data-sort]")];
  const inputs = { q: $("query"), family: $("family"), verdict: $("verdict"), sort: $("sort"), reverse: $("reverse") };
  const verdicts = [...inputs.verdict.options].map((option) => option.value);

  const text = (row, selector) => row.querySelector(selector).textContent.trim();
  const fold = (string) => string.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
  const value = (string) => (string === "" ? null : Number(string));

  const rows = [...body.rows].map((row, order) => {
    const entry = {
      row,
      order,
      id: row.id,
      title: text(row, ".title"),
      method: text(row, ".method"),
      claim: text(row, ".claim"),
      family: row.dataset.family,
      verdicts: row.dataset.verdict.split("|"),
      effect: value(row.dataset.effect),
      cost: value(row.dataset.cost),
    };
    entry.words = fold(`${entry.title} ${entry.method} ${entry.claim} ${entry.id}`);
    entry.studied = entry.verdicts[0] !== "not studied";
    entry.rank = verdicts.indexOf(entry.verdicts[0]);
    return entry;
  });

  // Missing values come last in both directions.
  const numeric = (key) => (a, b, sign) =>
    (a[key] === null) - (b[key] === null) || (a[key] === null ? 0 : sign * (b[key] - a[key]));
  const alphabetic = (key) => (a, b, sign) => sign * a[key].localeCompare(b[key], "en");
  const orders = {
    "": (a, b, sign) => sign * (b.studied - a.studied),
    title: alphabetic("title"),
    family: alphabetic("family"),
    verdict: (a, b, sign) => sign * (a.rank - b.rank),
    effect: numeric("effect"),
    cost: numeric("cost"),
    id: (a, b, sign) => sign * (a.order - b.order),
  };

  let ordering = null;
  let shown = rows;

  function sort() {
    const wanted = `${inputs.sort.value} ${inputs.reverse.checked}`;
    if (wanted === ordering) return;
    ordering = wanted;
    const compare = orders[inputs.sort.value];
    const sign = inputs.reverse.checked ? -1 : 1;
    rows.sort((a, b) => compare(a, b, sign) || a.order - b.order);
    body.append(...rows.map((entry) => entry.row));
    for (const header of headers) {
      const active = header.dataset.sort === inputs.sort.value;
      if (active) header.setAttribute("aria-sort", inputs.reverse.checked ? "descending" : "ascending");
      else header.removeAttribute("aria-sort");
    }
  }

  function filter() {
    const words = fold(inputs.q.value).split(/\s+/).filter(Boolean);
    const family = inputs.family.value;
    const verdict = inputs.verdict.value;
    const fits = (entry) =>
      (!family || entry.family === family) &&
      (!verdict || (verdict === "studied" ? entry.studied : entry.verdicts.includes(verdict))) &&
      words.every((word) => entry.words.includes(word));
    shown = rows.filter((entry) => {
      const fit = fits(entry);
      if (entry.row.hidden === fit) entry.row.hidden = !fit;
      return fit;
    });
    $("found").value = shown.length === rows.length ? `${rows.length} papers` : `${shown.length} of ${rows.length} papers`;
  }

  function update() {
    sort();
    filter();
  }

  function writeHash() {
    const state = new URLSearchParams();
    for (const [key, input] of Object.entries(inputs)) {
      const given = input.type === "checkbox" ? (input.checked ? "1" : "") : input.value;
      if (given) state.set(key, given);
    }
    history.replaceState(null, "", `${location.pathname}${location.search}${state.size ? `#${state}` : ""}`);
  }

  function readHash() {
    const hash = location.hash.slice(1);
    if (hash && !hash.includes("=")) return false;
    const state = new URLSearchParams(hash);
    for (const [key, input] of Object.entries(inputs)) {
      const given = state.get(key) ?? "";
      if (input.type === "checkbox") input.checked = given === "1";
      else input.value = given;
      // An option that does not exist leaves a select without a value; it then means "all".
      if (input.selectedIndex === -1) input.selectedIndex = 0;
    }
    return hash !== "";
  }

  // Browsers limit how often the address may change; it follows when typing pauses.
  let pause = 0;
  function changed() {
    update();
    clearTimeout(pause);
    pause = setTimeout(writeHash, 150);
  }

  const quoted = (cell) => {
    const string = String(cell ?? "");
    // A spreadsheet would run text that starts like a formula; a leading quote keeps it text.
    const safe = typeof cell === "string" && /^[=+\-@\t\r]/.test(string) ? `'${string}` : string;
    return /[",\r\n']/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };

  function download() {
    const columns = ["id", "title", "method", "claim", "family", "verdict", "effect", "cost_core_s"];
    const lines = shown.map((e) => [e.id, e.title, e.method, e.claim, e.family, e.verdicts.join("; "), e.effect, e.cost]);
    const csv = [columns, ...lines].map((line) => line.map(quoted).join(",")).join("\r\n");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${csv}\r\n`], { type: "text/csv" }));
    link.download = "papers.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  function clear() {
    for (const input of Object.values(inputs)) {
      if (input.type === "checkbox") input.checked = false;
      else input.value = "";
    }
    changed();
  }

  for (const header of headers) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = header.textContent;
    button.addEventListener("click", () => {
      inputs.reverse.checked = inputs.sort.value === header.dataset.sort && !inputs.reverse.checked;
      inputs.sort.value = header.dataset.sort;
      changed();
    });
    header.replaceChildren(button);
  }
  form.addEventListener("submit", (event) => event.preventDefault());
  inputs.q.addEventListener("input", changed);
  form.addEventListener("change", changed);
  $("clear").addEventListener("click", clear);
  $("export").addEventListener("click", download);
  window.addEventListener("hashchange", () => {
    if (!readHash()) return;
    update();
    $("papers").scrollIntoView();
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input[type=search], select, textarea");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      inputs.q.focus();
    } else if (event.key === "Escape" && event.target === inputs.q) {
      clear();
    }
  });

  form.hidden = false;
  $("export").hidden = false;
  const asked = readHash();
  update();
  if (asked) $("papers").scrollIntoView();
})();
