"use strict";
(() => {
  const times = TIMES;
  const byId = (id) => document.getElementById(id);
  const query = new URLSearchParams(location.search);
  const what = document.querySelector("header .what");
  const lost = document.createElement("div");
  lost.id = "lost";
  lost.setAttribute("role", "status");
  document.querySelector("main").before(lost);
  let known = "", seen = null, heard = 0;
  const said = {};
  const spoken = (seconds) => {
    const all = Math.max(0, Math.floor(seconds)), two = (n) => String(n).padStart(2, "0");
    return all < 3600 ? Math.floor(all / 60) + ":" + two(all % 60) : Math.floor(all / 3600) + ":" + two(Math.floor(all / 60) % 60) + ":" + two(all % 60);
  };
  const show = (name, content) => {
    if (said[name] === content) return;
    said[name] = content;
    const place = byId(name + "-content"), open = [...place.querySelectorAll("details")].map((one) => one.open);
    place.innerHTML = content;
    place.querySelectorAll("details").forEach((one, at) => { one.open = Boolean(open[at]); });
    byId(name).hidden = content === "";
    document.querySelector(`nav a[href="#${name}"]`).hidden = content === "";
  };
  const tick = () => {
    if (!seen) return;
    const since = seen.state === "running" ? (performance.now() - heard) / 1000 : 0;
    const elapsed = seen.elapsed + since, clock = byId("clock"), spent = byId("spent");
    for (const one of document.querySelectorAll("[data-seconds]")) one.textContent = spoken(Number(one.dataset.seconds) + (performance.now() - Number(one.dataset.at || (one.dataset.at = performance.now()))) / 1000);
    if (!clock) return;
    const left = seen.seconds === null ? "" : seen.state !== "running" ? " of " + spoken(seen.seconds) : elapsed > seen.seconds ? ", the time is over" : ", " + spoken(seen.seconds - elapsed) + " left of " + spoken(seen.seconds);
    clock.textContent = spoken(elapsed) + left;
    const shares = [seen.seconds ? elapsed / seen.seconds : 0, seen.trials ? seen.done / seen.trials : 0];
    spent.style.width = 100 * Math.min(1, Math.max(...shares)) + "%";
    spent.parentElement.hidden = seen.seconds === null && seen.trials === null;
  };
  const ask = async () => {
    let wait = times.ask;
    try {
      const response = await fetch("state?" + new URLSearchParams({ token: query.get("token") || "", known }), { cache: "no-store" });
      const told = await response.json();
      if (!response.ok) throw new Error(told.error);
      lost.textContent = told.wrong || "";
      seen = told;
      heard = performance.now();
      known = told.version;
      if (told.what) what.textContent = told.what;
      for (const [name, content] of Object.entries(told.sections || {})) show(name, content);
      document.title = (told.title ? told.title + " · " : "") + document.querySelector("h1").textContent;
      if (told.state === "finished") wait = times.askFinished;
    } catch (error) {
      const over = seen && seen.state === "finished" ? "The search is finished, and this page hears no more of it." : "This page hears nothing any more: the program that shows it has ended. What stands here is the last that it heard.";
      lost.textContent = seen ? over : String(error.message || error);
      if (seen) { seen.state = seen.state === "finished" ? "finished" : "ended"; }
      wait = times.askFinished;
    }
    tick();
    setTimeout(ask, wait);
  };
  ask();
  setInterval(tick, 1000);
})();
