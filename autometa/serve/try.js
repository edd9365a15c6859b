"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const token = new URLSearchParams(location.search).get("token");
  const shown = 50;
  const make = (name, text, cls) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (cls) made.className = cls;
    return made;
  };
  const number = (value) => typeof value === "number" ? String(Number(value.toPrecision(5))) : value === null ? "-" : String(value);
  const ask = async (path, body, kind, accept) => {
    const headers = { "Accept": accept || "application/json" };
    if (kind) headers["Content-Type"] = kind;
    if (token) headers.Authorization = "Bearer " + token;
    const response = await fetch(path, { method: "POST", headers, body });
    if (!response.ok) throw (await response.json().catch(() => ({ error: [{ where: "", what: "status " + response.status, fix: "" }] }))).error;
    return response.json();
  };
  const listing = (lines, cls) => {
    const list = make("ul", undefined, cls);
    for (const line of lines) list.append(make("li", line));
    return list;
  };
  const wrong = (problems) => {
    const told = Array.isArray(problems) ? problems : [{ where: "", what: "the service does not answer: is it still running?", fix: "" }];
    return listing(told.map((one) => (one.where ? one.where + ": " : "") + one.what + (/[.?!]$/.test(one.what) ? "" : ".") + (one.fix ? " " + one.fix : "")), "wrong");
  };
  const during = async (place, button, work) => {
    button.disabled = true;
    try { place.replaceChildren(...await work()); } catch (error) { place.replaceChildren(wrong(error)); } finally { button.disabled = false; }
  };
  const content = (file) => new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.onerror = () => failed([{ where: file.name, what: "cannot be read", fix: "" }]);
    reader.readAsDataURL(file);
  });
  const form = (entry) => {
    const made = new FormData();
    for (const file of entry.files) made.append(entry.dataset.field, file);
    return made;
  };
  const row = async () => {
    const found = {};
    for (const entry of byId("row").querySelectorAll("[name]")) {
      const holds = entry.dataset.holds, text = entry.value;
      if (holds === "image") { found[entry.name] = entry.files.length ? await content(entry.files[0]) : null; continue; }
      if (entry.validity && entry.validity.badInput) throw [{ where: entry.name, what: "is no number", fix: "" }];
      found[entry.name] = text === "" ? null : holds === "number" ? Number(text) : holds === "boolean" ? text === "true" : text;
    }
    return JSON.stringify([found]);
  };
  const bar = (label, from, to, text) => {
    const track = make("span", undefined, "track"), fill = make("i", undefined, to < from ? "less" : "");
    fill.style.left = 100 * Math.min(from, to) + "%";
    fill.style.width = 100 * Math.max(Math.abs(to - from), 0.004) + "%";
    track.append(fill);
    return [make("span", label), track, make("span", text)];
  };
  const classes = (answer) => {
    const bars = make("div", undefined, "bars");
    const all = Object.entries(answer).filter(([name]) => name.startsWith("proba_")).sort((a, b) => b[1] - a[1]);
    for (const [name, share] of all.slice(0, 12)) bars.append(...bar(name.slice(6), 0, share, (100 * share).toFixed(1) + " %"));
    return all.length ? [bars] : [];
  };
  byId("row").addEventListener("submit", (event) => {
    event.preventDefault();
    during(byId("answer"), byId("predict"), async () => {
      const query = byId("proba") ? "?proba=true" : "";
      const said = await ask("predict" + query, await row(), "application/json");
      const answer = said.predictions[0];
      return [make("b", number(answer.prediction), "said"), make("span", said.target, "quiet"), ...classes(answer), listing(said.notes, "notes")];
    });
  });
  if (byId("why")) byId("why").addEventListener("click", () => during(byId("answer"), byId("why"), async () => {
    const said = await ask("explain", await row(), "application/json");
    const one = said.explanations[0];
    const all = Object.entries(one.contributions).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1])).slice(0, 15);
    const widest = Math.max(...all.map(([, value]) => Math.abs(value)), 1e-12);
    const bars = make("div", undefined, "bars");
    for (const [name, value] of all) bars.append(...bar(name, 0.5, 0.5 + value / widest / 2, (value > 0 ? "+" : "") + number(value)));
    const what = one.explained === undefined ? "the answer" : "the probability of " + one.explained;
    const words = "From " + number(one.base) + ", the mean of the training table, to " + number(one.answer) + ", " + what + ":";
    return [make("b", number(one.prediction), "said"), make("p", words, "quiet"), bars, listing(said.notes, "notes")];
  }));
  if (byId("table")) byId("table").addEventListener("submit", (event) => {
    event.preventDefault();
    const button = event.target.querySelector("button");
    during(byId("answers"), button, async () => {
      const file = byId("file").files[0];
      const query = byId("proba") && byId("proba").checked ? "?proba=true" : "";
      const sent = byId("file").multiple ? [form(byId("file")), ""] : file ? [file, "application/octet-stream"] : [byId("csv").value, "text/csv"];
      const said = await ask("predict" + query, ...sent);
      const names = said.predictions.length ? Object.keys(said.predictions[0]) : [];
      const table = make("table"), head = make("tr"), body = make("tbody");
      for (const name of ["row", ...names]) head.append(make("th", name));
      said.predictions.slice(0, shown).forEach((one, place) => {
        const line = make("tr");
        for (const cell of [place + 1, ...names.map((name) => one[name])]) line.append(make("td", Array.isArray(cell) ? cell.join(", ") : number(cell)));
        body.append(line);
      });
      const top = make("thead"), scroll = make("div", undefined, "scroll"), link = make("a", "Save all as CSV");
      top.append(head); table.append(top, body); scroll.append(table);
      const cell = (value) => { const text = value === null ? "" : String(value); return /[",\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text; };
      const lines = [names, ...said.predictions.map((one) => names.map((name) => one[name]))].map((line) => line.map(cell).join(","));
      link.href = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
      link.download = "predictions.csv";
      const count = make("p", said.rows + (said.rows === 1 ? " row. " : " rows. ") + (said.rows > shown ? "The first " + shown + ": " : ""));
      count.append(link);
      return [count, listing(said.notes, "notes"), scroll];
    });
  });
  byId("curl").textContent = byId("curl").textContent.replaceAll("ADDRESS", location.origin);
})();
