"use strict";
// The article's two dials: they choose a cell of each claim's table, and the chart above it shows that cell. Every word and every
// place stands in the tables already; nothing is computed here.
(() => {
  const [seeds, margin] = ["seeds", "margin"].map((id) => document.getElementById(id));
  const claims = [...document.querySelectorAll(".told")].map((article) => ({
    article,
    rows: [...article.querySelector(".cells").tBodies[0].rows],
    heads: [...article.querySelectorAll(".cells thead th")],
    word: article.querySelector(".word"),
    part: (name) => article.querySelector(`.claim .${name}`),
  }));
  const papers = [...document.querySelector(".paper-words").rows];
  const say = (id, text) => {
    document.getElementById(id).textContent = text;
  };
  const ends = (cell, name) => cell.dataset[name].split(" ").map(Number);

  function area(rectangle, [low, high]) {
    rectangle.setAttribute("x", `${low}%`);
    rectangle.setAttribute("width", `${Math.max(0, high - low)}%`);
  }

  function show() {
    const [column, line] = [Number(seeds.value), Number(margin.value)];
    for (const { article, rows, word, part } of claims) {
      const cell = rows[line].cells[column + 1];
      article.className = `panel told ${cell.dataset.word}`;
      word.replaceChildren(...[...cell.childNodes].map((node) => node.cloneNode(true)));
      const [low, high] = ends(cell, "span");
      part("interval").setAttribute("x1", `${low}%`);
      part("interval").setAttribute("x2", `${high}%`);
      area(part("band"), ends(cell, "band"));
      area(part("claimed"), ends(cell, "claimed"));
      for (const other of article.querySelectorAll("td[aria-current]")) other.removeAttribute("aria-current");
      cell.setAttribute("aria-current", "true");
    }
    say("seeds-said", claims[0].heads[column + 1].textContent.split(" ")[0]);
    say("margin-said", claims[0].rows[line].cells[0].textContent);
    document.getElementById("word").replaceChildren(papers[column].cells[line].firstElementChild.cloneNode(true));
  }

  for (const dial of [seeds, margin]) dial.addEventListener("input", show);
  seeds.form.hidden = false;
  show();
})();
