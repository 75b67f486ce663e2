"use strict";
// The atlas: search, filters, sorting and a choice of columns over rows that are in the page already. Until something is asked for,
// rows stay where they are, in the table or folded below it by family; then those that fit stand in the table, fifty at a time. The
// state lives in the URL's hash, as #q=mixup&family=attribution&sort=effect&reverse=1&hide=claim, so that a view can be shared; a
// hash without "=" is a place on the page.
(() => {
  const $ = (id) => document.getElementById(id);
  const form = document.querySelector("form.controls");
  const tables = [...document.querySelectorAll("table.papers")];
  const table = tables[0];
  const folds = $("folds");
  const more = $("more");
  const STEP = 50;
  const body = table.tBodies[0];
  const headers = [...table.querySelectorAll("th[data-sort]")];
  const columns = [...form.querySelectorAll("input[name=column]")];
  const filters = [...form.querySelectorAll("select[data-filter]")];
  const query = $("query");
  const sorting = $("sort");
  const reverse = $("reverse");
  const verdicts = [...$("verdict").options].map((option) => option.value);

  const fold = (string) => string.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
  const tokens = (string) => fold(string).match(/[\p{L}\p{N}]+/gu) ?? [];
  const number = (string) => (string === undefined ? null : Number(string));

  const catalogued = new Intl.Collator("en", { numeric: true }).compare;
  const everyRow = tables.flatMap((each) => [...each.tBodies[0].rows]);
  const rows = everyRow.map((row, order) => {
    const text = (selector) => row.querySelector(selector).textContent.trim();
    const values = Object.fromEntries(filters.map((filter) => [filter.id, row.dataset[filter.id]?.split("|") ?? []]));
    const entry = {
      row,
      order,
      home: row.parentElement,
      values,
      id: row.id,
      title: text(".title"),
      method: text(".method"),
      claim: text(".claim"),
      family: row.dataset.family,
      studied: values.verdict[0] !== "not studied",
      rank: verdicts.indexOf(values.verdict[0]),
      effect: number(row.dataset.effect),
      cost: number(row.dataset.cost),
      year: number(row.dataset.year),
    };
    if (entry.studied) values.verdict.push("studied");
    entry.words = [...new Set(tokens(`${entry.title} ${entry.method} ${entry.claim} ${entry.id} ${row.dataset.also ?? ""}`))];
    return entry;
  });

  // Missing values come last in both directions.
  const numeric = (key) => (a, b, sign) =>
    (a[key] === null) - (b[key] === null) || (a[key] === null ? 0 : sign * (b[key] - a[key]));
  const { compare } = new Intl.Collator("en");
  const alphabetic = (key) => (a, b, sign) => sign * compare(a[key], b[key]);
  const orders = {
    "": (a, b, sign) => sign * (b.studied - a.studied),
    year: numeric("year"),
    title: alphabetic("title"),
    family: alphabetic("family"),
    verdict: (a, b, sign) => sign * (a.rank - b.rank),
    effect: numeric("effect"),
    cost: numeric("cost"),
    id: (a, b, sign) => sign * catalogued(a.id, b.id),
  };

  const AT_HOME = "at home";
  let ordering = AT_HOME;
  let shown = rows;
  let most = STEP;

  const asked = () => Boolean(query.value.trim() || sorting.value || reverse.checked || filters.some((select) => select.value));

  function sort() {
    const wanted = asked() ? `${sorting.value} ${reverse.checked}` : AT_HOME;
    for (const header of headers) {
      const active = header.dataset.sort === sorting.value;
      if (active) header.setAttribute("aria-sort", reverse.checked ? "descending" : "ascending");
      else header.removeAttribute("aria-sort");
    }
    if (wanted === ordering) return;
    ordering = wanted;
    folds.hidden = wanted !== AT_HOME;
    if (wanted === AT_HOME) {
      rows.sort((a, b) => a.order - b.order);
      for (const entry of rows) entry.home.append(entry.row);
      return;
    }
    const order = orders[sorting.value];
    const sign = reverse.checked ? -1 : 1;
    rows.sort((a, b) => order(a, b, sign) || a.order - b.order);
    body.append(...rows.map((entry) => entry.row));
  }

  // "ViT" is not in "invites": a short word counts as a whole where any paper has it, a longer one as a word's beginning.
  const BEGINNING = 4;
  function matcher(word) {
    const whole = (entry) => entry.words.includes(word);
    if (word.length < BEGINNING && rows.some(whole)) return whole;
    return (entry) => entry.words.some((other) => other.startsWith(word));
  }

  function filter() {
    const matchers = tokens(query.value).map(matcher);
    const wanted = filters.filter((select) => select.value).map((select) => [select.id, select.value]);
    const fits = (entry) =>
      wanted.every(([name, value]) => entry.values[name].includes(value)) && matchers.every((fit) => fit(entry));
    shown = rows.filter((entry) => {
      const fit = fits(entry);
      if (entry.row.hidden === fit) entry.row.hidden = !fit;
      return fit;
    });
    step();
    $("found").value = shown.length === rows.length ? `${rows.length} papers` : `${shown.length} of ${rows.length} papers`;
  }

  // Of the rows that fit, so many are in sight; without a question all are, since they are folded already.
  function step() {
    const stepped = ordering !== AT_HOME;
    for (const [place, entry] of shown.entries()) entry.row.classList.toggle("later", stepped && place >= most);
    const left = stepped ? shown.length - most : 0;
    more.hidden = left <= 0;
    more.textContent = `Show ${Math.min(left, STEP)} more of ${left}`;
  }

  function update() {
    for (const each of tables) for (const column of columns) each.classList.toggle(`no-${column.value}`, !column.checked);
    most = STEP;
    sort();
    filter();
  }

  function state() {
    const hidden = columns.filter((column) => !column.checked).map((column) => column.value);
    const chosen = filters.map((select) => [select.id, select.value]);
    const all = [["q", query.value], ...chosen, ["sort", sorting.value], ["reverse", reverse.checked ? "1" : ""]];
    return new URLSearchParams([...all, ["hide", hidden.join(",")]].filter(([, value]) => value));
  }

  // A value that is no option leaves a select without any; the first one means all.
  function select(control, value) {
    control.value = value ?? "";
    if (control.selectedIndex === -1) control.selectedIndex = 0;
  }

  function show(given) {
    query.value = given.get("q") ?? "";
    for (const control of filters) select(control, given.get(control.id));
    select(sorting, given.get("sort"));
    reverse.checked = given.get("reverse") === "1";
    const hidden = (given.get("hide") ?? "").split(",");
    for (const column of columns) column.checked = !hidden.includes(column.value);
    update();
  }

  function showAddress() {
    const hash = location.hash.slice(1);
    if (hash && !hash.includes("=")) return unfold(hash);
    show(new URLSearchParams(hash));
    if (hash) $("papers").scrollIntoView();
  }

  // A paper that somebody is led to may be folded away.
  function unfold(id) {
    const place = $(decodeURIComponent(id));
    for (let fold = place?.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    place?.scrollIntoView();
  }

  // Browsers limit how often the address may change; it follows when typing pauses.
  let pause = 0;
  function changed() {
    update();
    clearTimeout(pause);
    pause = setTimeout(() => {
      const now = state();
      history.replaceState(null, "", `${location.pathname}${location.search}${now.size ? `#${now}` : ""}`);
    }, 150);
  }

  const quoted = (cell) => {
    const string = String(cell ?? "");
    // A spreadsheet would run text that starts like a formula; a leading quote keeps it text.
    const safe = typeof cell === "string" && /^[=+\-@\t\r]/.test(string) ? `'${string}` : string;
    return /[",\r\n']/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };

  function download() {
    const names = ["id", "title", "method", "claim", ...filters.map((filter) => filter.id), "effect", "cost_core_s", "year"];
    const values = (entry) => filters.map(({ id }) => entry.values[id].filter((value) => value !== "studied").join("; "));
    const lines = shown.map((e) => [e.id, e.title, e.method, e.claim, ...values(e), e.effect, e.cost, e.year]);
    const csv = [names, ...lines].map((line) => line.map(quoted).join(",")).join("\r\n");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${csv}\r\n`], { type: "text/csv" }));
    link.download = "papers.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  function clear() {
    show(new URLSearchParams());
    changed();
  }

  for (const header of headers) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = header.textContent;
    button.addEventListener("click", () => {
      reverse.checked = sorting.value === header.dataset.sort && !reverse.checked;
      sorting.value = header.dataset.sort;
      changed();
    });
    header.replaceChildren(button);
  }
  form.addEventListener("submit", (event) => event.preventDefault());
  query.addEventListener("input", changed);
  form.addEventListener("change", changed);
  $("clear").addEventListener("click", clear);
  more.addEventListener("click", () => {
    const next = shown[most].row.querySelector("a, summary");
    most += STEP;
    step();
    next.focus();
  });
  $("export").addEventListener("click", download);
  window.addEventListener("hashchange", showAddress);
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input[type=search], select, textarea");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      query.focus();
    } else if (event.key === "Escape" && event.target === query) {
      clear();
    }
  });

  form.hidden = false;
  $("export").hidden = false;
  show(new URLSearchParams());
  showAddress();
})();
