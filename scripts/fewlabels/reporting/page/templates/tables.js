"use strict";
// Tables sort by a click on a heading, and long ones get a box to filter by. Without this script they stand as they are.
for (const box of document.querySelectorAll("div.table")) {
  const table = box.querySelector("table");
  const body = table.tBodies[0];
  const name = table.caption ? table.caption.textContent : "table";

  table.tHead.querySelectorAll("th").forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.querySelectorAll("th")) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = Array.from(body.rows);
      rows.sort((first, second) => compare(first.cells[column], second.cells[column], down ? -1 : 1));
      body.append(...rows);
    });
  });

  if (box.hasAttribute("data-filter")) {
    const label = document.createElement("label");
    const input = document.createElement("input");
    const count = document.createElement("output");
    input.type = "search";
    input.placeholder = "words in a row";
    input.setAttribute("aria-label", "Filter: " + name);
    label.className = "filter";
    label.append("Filter ", input, " ", count);
    box.prepend(label);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of body.rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        shown += row.hidden ? 0 : 1;
      }
      count.textContent = words.length ? shown + " of " + body.rows.length : "";
    });
  }
}

// Cells without a number come last, either way.
function compare(first, second, direction) {
  const numbers = [first, second].map((cell) => cell.dataset.number);
  if (numbers[0] !== undefined && numbers[1] !== undefined) return direction * (numbers[0] - numbers[1]);
  if (numbers[0] !== undefined) return -1;
  if (numbers[1] !== undefined) return 1;
  return direction * first.textContent.localeCompare(second.textContent);
}

// A heading within a closed part opens it; on a narrow screen the contents begin closed.
const contents = document.querySelector("nav details");
if (matchMedia("(max-width: 70rem)").matches) contents.open = false;

// Everything is printed.
let opened = [];
addEventListener("beforeprint", () => {
  opened = Array.from(document.querySelectorAll("main details:not([open])"));
  for (const part of opened) part.open = true;
});
addEventListener("afterprint", () => {
  for (const part of opened) part.open = false;
});
