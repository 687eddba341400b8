// What the page can do beyond showing itself: theme, contents that follow the reader, search, tables, saving of figures.
"use strict";

const make = (tag, attributes = {}, text = "") => {
  const element = Object.assign(document.createElement(tag), { textContent: text });
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
};
const button = (text, label, act) => {
  const made = make("button", { type: "button", "aria-label": label, title: label }, text);
  made.addEventListener("click", act);
  return made;
};
const save = (name, content, type) => {
  const blob = content instanceof Blob ? content : new Blob([content], { type });
  const link = make("a", { download: name, href: URL.createObjectURL(blob) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};
const open = (element) => {
  for (let d = element.closest("details"); d; d = d.parentElement.closest("details")) d.open = true;
};

// Light or dark: the reader's choice, else the system's.
const root = document.documentElement;
const remembered = { get: () => { try { return localStorage.theme; } catch { return ""; } },
  set: (v) => { try { localStorage.theme = v; } catch { /* no storage: for this visit only */ } } };
if (remembered.get()) root.dataset.theme = remembered.get();
const theme = button("Light / dark", "Light / dark: switch", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  remembered.set(root.dataset.theme = dark ? "light" : "dark");
});

// The link of the section in view is marked.
const links = [...document.querySelectorAll("nav li a")];
const follow = () => {
  const above = links.filter((a) => document.querySelector(a.hash)?.getBoundingClientRect().top < innerHeight / 3);
  const bottom = root.scrollHeight - innerHeight - scrollY < 4 && scrollY > 0;
  const current = bottom ? links.at(-1) : above.at(-1) ?? links[0];
  for (const a of links) a === current ? a.setAttribute("aria-current", "true") : a.removeAttribute("aria-current");
};
addEventListener("scroll", follow, { passive: true });
follow();
if (matchMedia("(max-width: 900px)").matches) document.querySelector(".menu").open = false;

// Search over the whole page, closed parts included.
const field = make("input", { type: "search", placeholder: "Search the page", "aria-label": "Search the page" });
const count = make("span", { role: "status" });
let found = [], at = -1;
const go = (step) => {
  if (!found.length) return;
  at = (at + step + found.length) % found.length;
  const where = found[at].startContainer.parentElement;
  open(where);
  where.scrollIntoView({ block: "center" });
  globalThis.CSS?.highlights?.set("now", new Highlight(found[at]));
  count.textContent = `${at + 1} of ${found.length}`;
};
field.addEventListener("input", () => {
  const wanted = field.value.trim().toLowerCase();
  const texts = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  found = []; at = -1;
  while (wanted.length > 1 && texts.nextNode()) {
    const node = texts.currentNode, text = node.data.toLowerCase();
    if (node.parentElement.closest("svg title, .tools, style")) continue;
    for (let i = text.indexOf(wanted); i >= 0; i = text.indexOf(wanted, i + wanted.length)) {
      const range = new Range();
      range.setStart(node, i);
      range.setEnd(node, i + wanted.length);
      found.push(range);
    }
  }
  globalThis.CSS?.highlights?.clear();
  if (found.length) globalThis.CSS?.highlights?.set("found", new Highlight(...found));
  count.textContent = wanted.length > 1 ? `${found.length} found` : "";
  go(1);
});
field.addEventListener("keydown", (event) => { if (event.key === "Enter") go(event.shiftKey ? -1 : 1); });
document.getElementById("page-tools").append(field, button("↑", "Previous match", () => go(-1)),
  button("↓", "Next match", () => go(1)), count, theme);
addEventListener("keydown", (event) => {
  if (event.key === "/" && !event.target.closest("input")) { event.preventDefault(); open(field); field.focus(); }
});

// Tables: a click on a header sorts, numbers by value, text by alphabet, empty cells last; a second click reverses.
const sort = (table, heads, column) => {
  const descending = heads[column].getAttribute("aria-sort") === "ascending";
  heads.forEach((head, i) => head.setAttribute("aria-sort", i !== column ? "none" : descending ? "descending" : "ascending"));
  const value = (row) => row.cells[column].dataset.sort;
  const missing = (v) => v === "" || v === "-1000000000.0";
  const compare = (a, b) => {
    const x = value(a), y = value(b);
    if (missing(x) || missing(y)) return missing(x) - missing(y);
    const numeric = !isNaN(x) && !isNaN(y);
    return (descending ? -1 : 1) * (numeric ? x - y : x.localeCompare(y));
  };
  table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
};
const written = (table, separator) => [...table.rows].filter((row) => !row.hidden).map((row) => [...row.cells].map((cell) => {
  const text = cell.textContent.trim().replace(/\s+/g, " ");
  return separator === "," && /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}).join(separator)).join("\n") + "\n";
for (const table of document.querySelectorAll("table.sortable")) {
  const name = table.dataset.name, rows = [...table.tBodies[0].rows], heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const press = make("button", { type: "button" }, head.textContent);
    press.addEventListener("click", () => sort(table, heads, column));
    head.replaceChildren(press);
  });
  const tools = make("div", { class: "tools" });
  if (rows.length > 5) {
    const filter = make("input", { type: "search", placeholder: "Filter rows", "aria-label": `Filter rows: ${name}` });
    const left = make("span", { role: "status" });
    filter.addEventListener("input", () => {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of rows) row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
      const shown = rows.filter((row) => !row.hidden).length;
      left.textContent = shown < rows.length ? `${shown} of ${rows.length} rows` : "";
    });
    tools.append(filter, left);
  }
  const file = name.replace(/\W+/g, "_").toLowerCase();
  for (const [kind, separator] of [["tsv", "\t"], ["csv", ","]]) {
    tools.append(button(kind.toUpperCase(), `Save as ${kind.toUpperCase()}: ${name}`,
      () => save(`${file}.${kind}`, written(table, separator), "text/plain")));
  }
  table.parentElement.before(tools);
}

// Figures are saved in the light colours, whatever the page shows.
const light = (name) => getComputedStyle(root).getPropertyValue(name).match(/#[0-9a-f]+/i)[0];
const svg = (figure) => {
  const copy = figure.querySelector("svg").cloneNode(true), [, , width, height] = copy.getAttribute("viewBox").split(" ");
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  copy.removeAttribute("style");
  return new XMLSerializer().serializeToString(copy).replace(/var\((--\w+)\)/g, (_, name) => light(name));
};
const png = (figure) => {
  const image = new Image();
  image.addEventListener("load", () => {
    const canvas = make("canvas"), scale = 3;
    canvas.width = image.width * scale;
    canvas.height = image.height * scale;
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((blob) => save(`${figure.dataset.name}.png`, blob));
  });
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg(figure))}`;
};
for (const figure of document.querySelectorAll("figure")) {
  if (!figure.querySelector("svg")) continue;
  const name = figure.dataset.name, tools = make("div", { class: "tools" });
  tools.append(button("SVG", `Save figure ${name} as SVG`, () => save(`${name}.svg`, svg(figure), "image/svg+xml")),
    button("PNG", `Save figure ${name} as PNG`, () => png(figure)));
  figure.querySelector("figcaption").before(tools);
}

// A link into a closed part opens it; on paper all parts are open.
const reveal = () => {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target) open(target);
};
addEventListener("hashchange", reveal);
reveal();
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
