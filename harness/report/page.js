// Filters whose state lives in the address: #q=…&document=…&kind=…&verdict=refuted,invalid.  #claim/… goes to a card.
"use strict";
(() => {
  const form = document.querySelector(".filters");
  const toggles = [...form.querySelectorAll(".toggle")];
  const cards = [...document.querySelectorAll(".card")];
  const lines = [...document.querySelectorAll(".forest tr[data-claim]")];
  const groups = [...document.querySelectorAll("[data-group]")];
  const reset = form.querySelector("[type=reset]");
  const none = document.querySelector(".empty");
  const texts = new Map();

  // What a reader would search for: everything said on a card but its tables of data.
  const words = (card) => {
    if (!texts.has(card)) {
      const parts = card.querySelectorAll("header, blockquote, .beside, .numbers, figcaption, .results, .gates, .error");
      texts.set(card, [...parts].map((part) => part.textContent).join(" ").replace(/\s+/g, " ").toLowerCase());
    }
    return texts.get(card);
  };
  const chosen = () => toggles.filter((one) => one.getAttribute("aria-pressed") === "true").map((one) => one.dataset.verdict);

  const apply = () => {
    const wanted = form.q.value.toLowerCase().split(/\s+/).filter(Boolean);
    const verdicts = chosen();
    let shown = 0;
    cards.forEach((card, index) => {
      const { document: of, kind, verdict } = card.dataset;
      const fits = (!form.document.value || of === form.document.value) && (!form.kind.value || kind === form.kind.value)
        && (!verdicts.length || verdicts.includes(verdict)) && wanted.every((word) => words(card).includes(word));
      card.hidden = lines[index].hidden = !fits;
      shown += fits;
    });
    groups.forEach((group) => { group.hidden = !group.querySelector(".card:not([hidden]), tr[data-claim]:not([hidden])"); });
    form.shown.textContent = shown === cards.length ? `${cards.length} claims` : `${shown} of ${cards.length} claims`;
    reset.hidden = shown === cards.length && !wanted.length && !verdicts.length;
    none.hidden = shown > 0;
  };

  const write = () => {
    const state = new URLSearchParams();
    for (const name of ["q", "document", "kind"]) if (form[name].value) state.set(name, form[name].value);
    if (chosen().length) state.set("verdict", chosen().join(","));
    const hash = state.toString().replaceAll("%2C", ",");
    history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
    apply();
  };
  const set = (state) => {
    for (const name of ["q", "document", "kind"]) form[name].value = state.get(name) || "";
    const verdicts = (state.get("verdict") || "").split(",");
    toggles.forEach((one) => one.setAttribute("aria-pressed", String(verdicts.includes(one.dataset.verdict))));
    apply();
  };
  const read = () => {
    const hash = location.hash.slice(1);
    let card = null;
    try { card = document.getElementById(decodeURIComponent(hash)); } catch { /* not an address of ours */ }
    if (card) {
      if (card.hidden) set(new URLSearchParams());
      card.scrollIntoView();
      if (card.matches(".card")) card.focus({ preventScroll: true });
    } else {
      set(new URLSearchParams(hash));
      if (hash) form.scrollIntoView({ block: "nearest" });
    }
  };

  // Down to one model: choices for the columns that say which architecture, regime or seed a row is.
  const pick = (table) => {
    const names = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
    const rows = [...table.tBodies[0].rows];
    const box = document.createElement("div");
    box.className = "pick";
    const selects = table.dataset.pick.split(" ").filter(Boolean).map((name) => {
      const column = names.indexOf(name);
      const label = document.createElement("label");
      const select = document.createElement("select");
      select.append(new Option("all", ""), ...[...new Set(rows.map((row) => row.cells[column].textContent))].map((value) => new Option(value)));
      label.append(`${name} `, select);
      box.append(label);
      return [column, select];
    });
    box.addEventListener("change", () => rows.forEach((row) => {
      row.hidden = !selects.every(([column, select]) => select.selectedIndex < 1 || row.cells[column].textContent === select.value);
    }));
    if (selects.length) table.closest(".scroll").before(box);
  };
  document.querySelectorAll("details.data").forEach((fold) =>
    fold.addEventListener("toggle", () => pick(fold.querySelector("table")), { once: true }));

  form.addEventListener("input", write);
  form.addEventListener("submit", (event) => event.preventDefault());
  toggles.forEach((one) => one.addEventListener("click", () => {
    one.setAttribute("aria-pressed", String(one.getAttribute("aria-pressed") !== "true"));
    write();
  }));
  for (const clear of [reset, none.querySelector(".clear")]) clear.addEventListener("click", (event) => {
    event.preventDefault();
    set(new URLSearchParams());
    write();
  });
  addEventListener("hashchange", read);
  form.hidden = false;
  set(new URLSearchParams());
  read();
})();
