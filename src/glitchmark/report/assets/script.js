// Sorting, searching and paging of tables, and enlarged figures. Without scripts, the page has all of its content.
const LONG = 25; // rows: longer tables are shown in pages
const SEARCHED = 10; // rows: shorter tables need no search

function enlarge(button) {
  const picture = document.getElementById(button.dataset.picture);
  const dialog = document.getElementById("enlarged");
  const copy = picture.cloneNode();
  copy.removeAttribute("id");
  dialog.querySelector(".picture").replaceChildren(copy);
  dialog.setAttribute("aria-label", button.getAttribute("aria-label"));
  dialog.showModal();
}

for (const button of document.querySelectorAll(".enlarge")) {
  button.hidden = false;
  button.addEventListener("click", () => enlarge(button));
}

const bytes = Uint8Array.from(atob(document.getElementById("datatables").textContent), (c) => c.charCodeAt(0));
const url = URL.createObjectURL(new Blob([bytes], { type: "text/javascript" }));
const { default: DataTable, set_or_remove_dark_class: followColourScheme } = await import(url);
URL.revokeObjectURL(url);
followColourScheme();

for (const table of document.querySelectorAll("table.data")) {
  const rows = table.tBodies[0].rows.length;
  new DataTable(table, {
    order: [],
    autoWidth: false,
    paging: rows > LONG,
    pageLength: LONG,
    layout: {
      topStart: rows > LONG ? "pageLength" : null,
      topEnd: rows > SEARCHED ? "search" : null,
      bottomStart: rows > SEARCHED ? "info" : null,
      bottomEnd: rows > LONG ? "paging" : null,
    },
  });
  // the table alone scrolls sideways, not its search field
  const box = table.closest(".scroll");
  const inner = table.closest(".dt-layout-table");
  for (const name of ["tabindex", "role", "aria-label"]) {
    inner.setAttribute(name, box.getAttribute(name));
    box.removeAttribute(name);
  }
  inner.classList.add("scroll");
  for (const field of box.querySelectorAll(".dt-search input, .dt-length select")) {
    const label = field.labels[0].textContent.trim().replace(":", "");
    field.setAttribute("aria-label", `${label}: ${inner.getAttribute("aria-label")}`);
  }
  box.classList.remove("scroll");
}
document.documentElement.classList.add("ready");
