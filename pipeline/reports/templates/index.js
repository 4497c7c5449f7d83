"use strict";
(() => {
  const table = document.getElementById("cases");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const field = (name) => document.getElementById(name);
  // What a row is found by, read once: thousands of rows are filtered at each key.
  const words = new Map(rows.map((row) => [row, row.cells[1].textContent.toLowerCase()]));
  const cellOf = (row, column) => row.cells[2 + Number(column)];
  const collator = new Intl.Collator("en", { numeric: true });

  function valueOf(row, column) {
    return column === "case" || column === "status" ? row.dataset[column] : cellOf(row, column).dataset.value;
  }

  // What has no value stands last, whichever way it is sorted.
  function compare(one, other, column, sign) {
    const [a, b] = [valueOf(one, column), valueOf(other, column)];
    if (a === "" || b === "") return (a === "") - (b === "");
    return sign * (Number.isNaN(Number(a - b)) ? collator.compare(a, b) : a - b);
  }

  function sort(head) {
    const before = head.getAttribute("aria-sort");
    const numeric = head.classList.contains("num");
    const way = before ? (before === "descending" ? "ascending" : "descending") : (numeric ? "descending" : "ascending");
    for (const one of table.tHead.rows[0].cells) one.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", way);
    const sign = way === "ascending" ? 1 : -1;
    rows.sort((one, other) => compare(one, other, head.dataset.column, sign));
    body.append(...rows);
  }

  function isWanted(status, asked) {
    return asked === "" || asked === status || (asked === "!done" && status !== "done");
  }

  function filter() {
    const asked = field("words").value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const least = field("least");
    let shown = 0;
    for (const row of rows) {
      const fits = asked.every((word) => words.get(row).includes(word))
        && isWanted(row.dataset.status, field("status").value)
        && (!field("remarked").checked || "said" in row.dataset)
        && (!least || least.value === "" || Number(cellOf(row, least.dataset.column).dataset.value || -1) >= Number(least.value));
      row.hidden = !fits;
      shown += fits;
    }
    field("count").textContent = `${shown} of ${rows.length} shown`;
    field("none").hidden = shown > 0;
  }

  table.tHead.addEventListener("click", (event) => {
    const head = event.target.closest("th[data-column]");
    if (head && event.target.closest("button")) sort(head);
  });
  const form = document.querySelector(".filters");
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  const failed = field("show-failed");
  if (failed) {
    failed.addEventListener("click", () => {
      field("status").value = "!done";
      filter();
      table.scrollIntoView();
    });
  }
})();
