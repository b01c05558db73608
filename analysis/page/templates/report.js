"use strict";
const made = (tag, words, parent) => parent.appendChild(Object.assign(document.createElement(tag), words));

// The theme: what the reader's system has, or the other.
const dark = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules])
  .find((rule) => rule.media?.mediaText.includes("prefers-color-scheme"));
const themes = { system: dark.media.mediaText, light: "not all", dark: "all" };
const theme = made("button", { type: "button", className: "theme" }, document.querySelector("header"));
const show = (name) => {
  dark.media.mediaText = themes[name];
  document.documentElement.style.colorScheme = name === "system" ? "" : name;
  theme.dataset.theme = name;
  theme.textContent = `Theme: ${name}`;
};
theme.addEventListener("click", () => {
  const names = Object.keys(themes);
  show(names[(names.indexOf(theme.dataset.theme) + 1) % names.length]);
});
show("system");

for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0], box = table.parentElement;
  const heads = [...table.tHead.rows[0].cells];
  const key = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.key ?? cell.textContent;
    const number = text === "-inf" ? -Infinity : Number(text.replace(/,/g, ""));
    return text.trim() === "" || Number.isNaN(number) ? text : number;
  };
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].sort((a, b) => {
        const x = key(a, column), y = key(b, column);
        const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
        return down ? -order : order;
      });
      body.append(...rows);
    });
  });
  if (body.rows.length < 9) continue;
  const tools = document.createElement("div");
  tools.className = "tools";
  box.before(tools);
  const words = made("input", { type: "search", placeholder: "filter rows by words" }, tools);
  words.setAttribute("aria-label", `filter rows, ${box.getAttribute("aria-label")}`);
  const count = made("span", {}, tools);
  count.setAttribute("role", "status");
  words.addEventListener("input", () => {
    const asked = words.value.toLowerCase().split(/\s+/);
    let left = 0;
    for (const row of body.rows) {
      const text = [...row.cells].map((cell) => cell.textContent).join(" ").toLowerCase();
      row.hidden = !asked.every((word) => text.includes(word));
      left += !row.hidden;
    }
    count.textContent = words.value.trim() ? `${left} of ${body.rows.length} rows` : "";
  });
  if (box.classList.contains("tall")) {
    const whole = made("button", { type: "button", textContent: `show all ${body.rows.length} rows` }, tools);
    whole.addEventListener("click", () => {
      box.classList.remove("tall");
      whole.remove();
    });
  }
}
