// Filters and order, whose state lives in the address: #q=…&document=…&kind=…&tag=…&grade=…&verdict=refuted,invalid&sort=p.
// #claim/… goes to a card, #claim/…&architecture=…&seed=… down to the rows of a stratum or of one seed.
"use strict";
(() => {
  const form = document.querySelector(".filters");
  const toggles = [...form.querySelectorAll(".toggle")];
  const cards = [...document.querySelectorAll(".card")];
  const lines = [...document.querySelectorAll(".forest [data-claim]")];
  const groups = [...document.querySelectorAll("[data-group]")];
  const [lots, flatCards] = [[document.querySelector(".lot")], document.querySelector("#claims > .flat")];
  const blank = lots[0].cloneNode(true);
  blank.querySelector("thead").className = "again";
  const homes = cards.map((card, index) => [lines[index].parentNode, card.parentNode]);
  const reset = form.querySelector("[type=reset]");
  const none = document.querySelector(".empty");
  const choices = [...form.querySelectorAll("[data-choice]")].map((one) => one.name);
  const fields = ["q", "document", "kind", "tag", ...choices, "sort"].filter((name) => form[name]);
  const texts = new Map();

  // What a reader would search for: everything said on a card but its tables of data.
  const words = (card) => {
    if (!texts.has(card)) {
      const parts = card.querySelectorAll("header, blockquote, .beside, .numbers, figcaption, .results, .gates, .error, .search, .note");
      texts.set(card, [...parts].map((part) => part.textContent).join(" ").replace(/\s+/g, " ").toLowerCase());
    }
    return texts.get(card);
  };
  const chosen = () => toggles.filter((one) => one.getAttribute("aria-pressed") === "true").map((one) => one.dataset.verdict);
  const value = (name) => (form[name] ? form[name].value : "");

  // Order: places of the cards; ties and unknown numbers keep the order of the documents, the unknown last.
  const urgency = ["refuted", "error", "invalid", "inconclusive", "supported"];
  const known = (card, place) => (([said]) => (said === "-" ? null : Number(said)))(card.dataset.order.split(" ").slice(place));
  const falling = (number) => (number === null ? null : -number);
  const keys = {
    verdict: (card) => urgency.indexOf(card.dataset.verdict),
    effect: (card) => falling(known(card, 0)),
    p: (card) => known(card, 1),
    seconds: (card) => falling(known(card, 2)),
    name: (card) => card.id,
  };
  // All lines in one order stand in tables of so many, so that a browser lays out only those that are seen.
  const LOT = 25;
  const lot = (rank) => {
    const place = Math.floor(rank / LOT);
    while (lots.length <= place) {
      lots.push(blank.cloneNode(true));
      lots[0].parentNode.append(lots.at(-1));
      groups.push(lots.at(-1));
    }
    return lots[place].firstElementChild;
  };
  let order = "";
  const arrange = (sort) => {
    if (sort === order) return;
    order = sort;
    const places = cards.map((card, index) => index);
    if (keys[sort]) {
      const by = cards.map(keys[sort]);
      const rank = (a, b) => (by[a] === null) - (by[b] === null) || (by[a] < by[b] ? -1 : by[a] > by[b] ? 1 : 0) || a - b;
      places.sort(rank);
    }
    const moved = new Map();  // all that goes to one place at once: the page is laid out once
    const into = (place, one) => (moved.has(place) ? moved.get(place).push(one) : moved.set(place, [one]));
    places.forEach((index, rank) => {
      const [body, section] = keys[sort] ? [lot(rank), flatCards] : homes[index];
      into(body, lines[index]);
      into(section, cards[index]);
    });
    for (const [place, those] of moved) place.append(...those);
  };

  const apply = () => {
    const wanted = value("q").toLowerCase().split(/\s+/).filter(Boolean);
    const verdicts = chosen();
    let shown = 0;
    arrange(value("sort"));
    cards.forEach((card, index) => {
      const { document: of, kind, verdict, tags } = card.dataset;
      const fits = (!value("document") || of === value("document")) && (!value("kind") || kind === value("kind"))
        && (!value("tag") || JSON.parse(tags).includes(value("tag")))
        && choices.every((name) => !value(name) || (card.dataset[name] || "").split(" ").includes(value(name)))
        && (!verdicts.length || verdicts.includes(verdict)) && wanted.every((word) => words(card).includes(word));
      if (card.hidden === fits) card.hidden = lines[index].hidden = !fits;
      shown += fits;
    });
    groups.forEach((group) => { group.hidden = !group.querySelector(".card:not([hidden]), [data-claim]:not([hidden])"); });
    form.shown.textContent = shown === cards.length ? `${cards.length} claims` : `${shown} of ${cards.length} claims`;
    reset.hidden = shown === cards.length && !wanted.length && !verdicts.length && !value("sort");
    none.hidden = shown > 0 || !cards.length;
  };

  const write = () => {
    const state = new URLSearchParams();
    for (const name of fields) if (form[name].value) state.set(name, form[name].value);
    if (chosen().length) state.set("verdict", chosen().join(","));
    const hash = state.toString().replaceAll("%2C", ",");
    history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
    apply();
  };
  const set = (state) => {
    for (const name of fields) {
      form[name].value = state.get(name) || "";
      if (form[name].selectedIndex === -1) form[name].value = "";  // a value that this report does not have
    }
    const verdicts = (state.get("verdict") || "").split(",");
    toggles.forEach((one) => one.setAttribute("aria-pressed", String(verdicts.includes(one.dataset.verdict))));
    apply();
  };

  // The data behind a figure: rows as the page carries them, a table of those that are picked, and their place in the drawing.
  const LONGEST = 200;
  const PLACES = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const SVG = "http://www.w3.org/2000/svg";
  const RAISED = { "-": "⁻", "+": "", ...Object.fromEntries([..."⁰¹²³⁴⁵⁶⁷⁸⁹"].map((digit, place) => [place, digit])) };
  // 1e-7 as Python's `text.number` writes it: 1 × 10⁻⁷.
  const tens = (text) => text.replace(/e(.*)/, (_, power) => ` × 10${[...power].map((each) => RAISED[each]).join("")}`).replace("-", "−");
  const shown = (one) => (one === null ? "—" : one === true ? "yes" : one === false ? "no" : typeof one === "number" ? tens(String(one)) : one);
  // Three digits, and a power of ten where many zeros would stand before or behind them.
  const rounded = (one) => {
    const size = Math.abs(one), short = Number(one.toPrecision(3));
    return tens(size && (size >= 1e6 || size < 1e-4) ? short.toExponential() : String(short));
  };
  const make = (tag, given = {}, ...inside) => {
    const element = Object.assign(document.createElement(tag), given);
    element.append(...inside);
    return element;
  };

  const unpack = (text) => {
    const data = JSON.parse(text);
    const plain = (held) => (held.run ? Array.from({ length: held.count }, (_, row) => held.of[Math.floor(row / held.run) % held.of.length])
      : held.of ? [...held.at].map((at) => held.of[PLACES.indexOf(at)])
      : held.wide ? held.at.match(new RegExp(`.{${held.wide}}`, "g")).map((at) => (at[0] === "-" ? null
        : Number(`${held.least + [...at].reduce((sum, digit) => sum * PLACES.length + PLACES.indexOf(digit), 0)}e${held.ten}`)))
      : held);
    const columns = Object.fromEntries(data.columns.map(([name, held]) => [name, plain(held)]));
    const count = data.columns.length ? columns[data.columns[0][0]].length : 0;
    return { ...data, columns, names: data.columns.map(([name]) => name), count };
  };

  // Rows drawn over the figure: a ring each, and a line where the figure joins the rows of a seed.
  const mark = (figure, data, rows) => {
    if (!figure) return;
    figure.querySelectorAll(".picked").forEach((old) => old.remove());
    figure.classList.toggle("dimmed", rows !== null);
    if (rows === null) return;
    const { kind, x, y, hue, facet, log_x: logX, log_y: logY, facets, hues, categories, lanes } = data.drawn;
    const panels = JSON.parse(figure.dataset.panels);
    const scale = (given, from, to, log) => (log ? Math.log(given / from) / Math.log(to / from) : (given - from) / (to - from));
    const strokes = new Map();
    const layer = document.createElementNS(SVG, "g");
    layer.setAttribute("class", "picked");
    for (const row of rows) {
      const of = (name) => (name ? data.columns[name][row] : null);
      const panel = panels[facet ? facets.indexOf(of(facet)) : 0];
      const lane = lanes ? lanes[hue ? hues.indexOf(of(hue)) : 0] : 0;
      const at = categories ? categories.indexOf(of(x)) + lane : of(x);
      if (!panel || at === null || of(y) === null || (logX && !categories && at <= 0) || (logY && of(y) <= 0)) continue;
      const [left, top, width, height, x0, x1, y0, y1] = panel;
      const place = [left + width * scale(at, x0, x1, logX && !categories), top + height * (1 - scale(of(y), y0, y1, logY))];
      const ring = document.createElementNS(SVG, "circle");
      const [cx, cy] = place;
      for (const [name, to] of Object.entries({ cx, cy, r: kind === "lines" ? 4.4 : 9 })) ring.setAttribute(name, to.toFixed(1));
      layer.append(ring);
      const who = [of(facet), of(hue), ...data.pick.filter((name) => name !== x).map(of)].join("\u0000");
      strokes.set(who, [...(strokes.get(who) || []), place]);
    }
    if (kind === "lines" || kind === "paired") for (const places of strokes.values()) {
      const stroke = document.createElementNS(SVG, "polyline");
      stroke.setAttribute("points", places.sort((a, b) => a[0] - b[0]).map((at) => at.map((one) => one.toFixed(1)).join(",")).join(" "));
      layer.prepend(stroke);
    }
    figure.append(layer);
  };

  const tabulate = (card, data, picked, all) => {
    const rows = [...Array(data.count).keys()].filter((row) =>
      [...picked].every(([name, wanted]) => String(data.columns[name][row]) === wanted));
    const listed = all ? rows : rows.slice(0, LONGEST);
    const seed = data.pick.includes("seed") && !picked.has("seed");
    const cell = (name, row) => {
      const held = data.columns[name][row];
      if (name !== "seed" || !seed) return make("td", { textContent: shown(held) });
      const within = data.pick.filter((one) => one === "architecture").map((one) => [one, data.columns[one][row]]);
      const further = new URLSearchParams([...new Map([...within, ...picked, ["seed", held]])]);
      return make("td", {}, make("a", { href: `#${card.id}&${further}`, textContent: shown(held) }));
    };
    const said = rows.length === data.count ? `${rows.length} rows` : `${rows.length} of ${data.count} rows`;
    const caption = make("caption", { textContent: listed.length < rows.length ? `${said}, the first ${LONGEST} listed` : said });
    const head = make("tr", {}, ...data.names.map((name) => make("th", { scope: "col", textContent: name })));
    const body = make("tbody", {}, ...listed.map((row) => make("tr", {}, ...data.names.map((name) => cell(name, row)))));
    const table = make("table", { className: "grid" }, caption, make("thead", {}, head), body);
    const box = make("div", { className: "scroll tall", tabIndex: 0 }, table);
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", "Data behind the figure");
    const parts = [box];
    if (listed.length < rows.length) {
      const more = make("button", { type: "button", textContent: `List all ${rows.length} rows` });
      more.addEventListener("click", () => tabulate(card, data, picked, true));
      parts.push(more);
    }
    card.querySelector(".data .table").replaceChildren(picker(card, data, picked), ...parts);
    mark(card.querySelector("svg.figure"), data, picked.size && rows.length <= LONGEST ? rows : null);
  };

  // One choice for every column that says which architecture, regime or seed a row is.
  const picker = (card, data, picked) => {
    const box = make("div", { className: "pick" });
    for (const name of data.pick) {
      const levels = [...new Set(data.columns[name])].sort((a, b) => (typeof a === "number" && typeof b === "number" ? a - b : 0));
      const select = make("select", {}, new Option("all", ""), ...levels.map((level) => new Option(shown(level), level)));
      select.value = picked.get(name) || "";
      select.addEventListener("change", () => {
        const picks = [...box.querySelectorAll("select")].map((one, index) => [data.pick[index], one.value]);
        const state = new URLSearchParams(picks.filter(([, to]) => to));
        history.replaceState(null, "", `#${[card.id, String(state)].filter(Boolean).join("&")}`);
        drill(card, state);
        card.querySelectorAll(".pick select")[data.pick.indexOf(name)].focus();
      });
      box.append(make("label", {}, `${name} `, select));
    }
    return box;
  };

  const drill = (card, state) => {
    const fold = card.querySelector(".data");
    if (!fold) return;
    const data = unpack(fold.querySelector("script").textContent);
    const picked = new Map([...state].filter(([name]) => data.pick.includes(name)));
    tabulate(card, data, picked, false);
    fold.dataset.made = "";
    fold.open = true;
  };
  document.querySelectorAll("details.data").forEach((fold) => fold.addEventListener("toggle", () => {
    if (fold.open && fold.dataset.made === undefined) drill(fold.closest(".card"), new URLSearchParams());
  }));

  // What a reader may take along from a card: a command, a reference, the figure, its rows.
  const cited = JSON.parse(document.getElementById("bibtex").textContent);
  const copy = async (text) => {
    try { await navigator.clipboard.writeText(text); } catch {
      const box = make("textarea", { value: text });
      document.body.append(box);
      box.select();
      document.execCommand("copy");
      box.remove();
    }
  };
  const save = (name, address) => make("a", { download: name, href: address }).click();
  const asData = (type, text) => `data:${type};charset=utf-8,${encodeURIComponent(text)}`;

  const PAINTED = ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "paint-order"];
  const LETTERED = ["font-family", "font-size", "font-weight", "text-anchor"];

  // The drawing with the page's colours written into it, so that it stands by itself.
  const alone = (figure) => {
    const twin = figure.cloneNode(true);
    const held = [...figure.querySelectorAll("[style*=marker]")].map((one) => one.getAttribute("style").match(/#([^)]*)/)[1]);
    // The marks of a figure that a chapter shows, too, are defined outside of it.
    const lent = [...new Set(held)].map((id) => document.getElementById(id)).filter((one) => one && !figure.contains(one));
    twin.prepend(...lent.map((one) => one.cloneNode(true)));
    const every = (one) => [...one.querySelectorAll("*")];
    const from = [figure, ...lent.flatMap((one) => [one, ...every(one)]), ...every(figure)];
    const to = [twin, ...every(twin)];
    from.forEach((one, index) => {
      const looks = getComputedStyle(one);
      for (const name of PAINTED) to[index].setAttribute(name, looks.getPropertyValue(name));
      if (one.tagName === "text") for (const name of LETTERED) to[index].setAttribute(name, looks.getPropertyValue(name).replaceAll('"', "'"));
      to[index].removeAttribute("class");
    });
    const [, , wide, high] = figure.getAttribute("viewBox").split(" ").map(Number);
    for (const [name, to] of Object.entries({ xmlns: SVG, width: wide, height: high })) twin.setAttribute(name, to);
    return [new XMLSerializer().serializeToString(twin), wide, high];
  };
  const asPicture = (figure, name) => {
    const [text, wide, high] = alone(figure);
    const image = new Image();
    image.addEventListener("load", () => {
      const canvas = make("canvas", { width: 3 * wide, height: 3 * high });
      const pen = canvas.getContext("2d");
      pen.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--paper");
      pen.fillRect(0, 0, canvas.width, canvas.height);
      pen.drawImage(image, 0, 0, canvas.width, canvas.height);
      save(`${name}.png`, canvas.toDataURL("image/png"));
    });
    image.src = asData("image/svg+xml", text);
  };
  const asTable = (card) => {
    const data = unpack(card.querySelector(".data script").textContent);
    const cell = (one) => (one === null ? "" : /[",\n]/.test(String(one)) ? `"${String(one).replaceAll('"', '""')}"` : String(one));
    const lines = [...Array(data.count).keys()].map((row) => data.names.map((name) => cell(data.columns[name][row])).join(","));
    return [data.names.map(cell).join(","), ...lines].join("\r\n") + "\r\n";
  };
  const offer = (card) => {
    const box = card.querySelector(".actions");
    if (!box || box.dataset.made) return;
    box.dataset.made = "yes";
    const name = card.id.slice(6).replaceAll("/", "-");
    const figure = card.querySelector("svg.figure");
    const acts = [["Copy command", () => copy(box.dataset.command)],
      ["Copy BibTeX", () => copy([cited[card.dataset.document], cited["claims-harness"]].filter(Boolean).join("\n"))]];
    if (figure) acts.push(["Figure as SVG", () => save(`${name}.svg`, asData("image/svg+xml", alone(figure)[0]))],
      ["as PNG", () => asPicture(figure, name)]);
    if (card.querySelector(".data script")) acts.push(["Rows as CSV", () => save(`${name}.csv`, asData("text/csv", asTable(card)))]);
    for (const [words, act] of acts) {
      const button = make("button", { type: "button", textContent: words });
      button.addEventListener("click", async () => {
        await act();
        button.classList.add("done");
        setTimeout(() => button.classList.remove("done"), 1500);
      });
      box.append(button);
    }
  };
  // Another margin: a slider that looks up what the judge's rule gave at each.  The numbers come from Python; nothing is decided here.
  const GLYPHS = Object.fromEntries(toggles.map((one) => [one.dataset.verdict, one.querySelector(".glyph").textContent]));
  const slide = (card) => {
    const box = card.querySelector(".flips");
    if (!box || box.dataset.made || !box.dataset.flips) return;
    box.dataset.made = "yes";
    const { pieces, margin, far, times } = JSON.parse(box.dataset.flips);
    if (pieces.length < 2) return;  // nothing flips
    const input = make("input", { type: "range", min: 0, max: far, step: far / 400, value: margin });
    input.setAttribute("aria-label", "Another margin");
    const said = make("output");
    const tell = () => {
      const chosen = Number(input.value);
      const near = Math.abs(chosen - margin) <= far / 800 ? margin : chosen;  // the slider has no step at the margin itself
      const [start, at, after] = pieces.filter((piece) => piece[0] <= near).pop();
      const verdict = near === start ? at : after;
      said.className = `v-${verdict in GLYPHS ? verdict : "stratum"}`;
      said.replaceChildren(verdict in GLYPHS ? make("span", { className: "glyph", textContent: GLYPHS[verdict] }) : "",
        times ? ` ${verdict} with ${near === margin ? "the margins that were fixed beforehand" : `all margins times ${rounded(near)}`}`
          : ` ${verdict} with a margin of ${rounded(near)}${near === margin ? ", which was fixed beforehand" : ""}`);
      input.setAttribute("aria-valuetext", said.textContent.trim());
    };
    input.addEventListener("input", tell);
    input.addEventListener("change", (event) => event.stopPropagation());
    tell();
    box.append(input, said);
  };
  const near = new IntersectionObserver((seen) => seen.forEach((one) => one.isIntersecting && (offer(one.target), slide(one.target))),
    { rootMargin: "400px" });
  cards.forEach((card) => near.observe(card));

  const lost = document.querySelector(".lost");
  const read = () => {
    const [name, ...further] = location.hash.slice(1).split("&");
    let target = null;
    try { target = document.getElementById(decodeURIComponent(name)); } catch { /* not an address of ours */ }
    const ours = /^(claim|story)\//.test(name);
    lost.hidden = Boolean(target) || !ours;
    if (!target && ours) {
      lost.textContent = `This report has no ${name.startsWith("claim") ? "claim" : "story of"} ${name.slice(6)}; the address leads to one that had.`;
      set(new URLSearchParams());
      lost.scrollIntoView({ block: "nearest" });
      return;
    }
    if (target) {
      // The bar of filters lies over what is scrolled to, and how many lines it has depends on the screen.
      const over = getComputedStyle(form).position === "sticky" ? form.offsetHeight : 0;
      document.documentElement.style.scrollPaddingTop = `${over + 8}px`;
      if (target.hidden || !form.shown.textContent) set(new URLSearchParams());
      if (further.length) drill(target, new URLSearchParams(further.join("&")));
      target.scrollIntoView();
      if (target.matches(".card")) target.focus({ preventScroll: true });
      const drawn = further.length ? target.querySelector("svg.figure") : null;
      if (drawn) drawn.scrollIntoView({ block: "nearest" });  // where the rings are
    } else {
      set(new URLSearchParams(location.hash.slice(1)));
      if (location.hash) form.scrollIntoView({ block: "nearest" });
    }
  };

  for (const happening of ["input", "change"]) form.addEventListener(happening, write);
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
  read();
})();

// Forest and chapters: what folds opens for the address that leads into it, and for a filter that shows claims of it.
(() => {
  const groups = [...document.querySelectorAll("details.group")];
  const form = document.querySelector(".filters");
  const unfold = (target) => {
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  };
  const follow = () => {
    let target = null;
    try { target = document.getElementById(decodeURIComponent(location.hash.slice(1).split("&")[0])); } catch { /* not ours */ }
    if (target && target.closest(".stories")) {
      unfold(target);
      target.scrollIntoView();
      target.focus({ preventScroll: true });
    } else if (/[=]/.test(location.hash) && !target) groups.forEach((group) => { group.open ||= !group.hidden; });
  };
  for (const happening of ["input", "change"]) form.addEventListener(happening, follow);
  addEventListener("hashchange", follow);
  follow();
})();
