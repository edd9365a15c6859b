"use strict";
(() => {
  const tip = document.getElementById("tip");
  const show = (event) => {
    const shape = event.target.closest ? event.target.closest("[data-tip]") : null;
    if (!shape) { tip.classList.remove("on"); return; }
    tip.textContent = shape.getAttribute("data-tip");
    const box = tip.getBoundingClientRect();
    const x = Math.min(event.clientX + 14, innerWidth - box.width - 8);
    const y = event.clientY + 18 + box.height > innerHeight ? event.clientY - box.height - 12 : event.clientY + 18;
    tip.style.transform = `translate(${Math.max(x, 8)}px, ${Math.max(y, 8)}px)`;
    tip.classList.add("on");
  };
  addEventListener("pointermove", show, { passive: true });
  addEventListener("pointerdown", show, { passive: true });
  addEventListener("scroll", () => tip.classList.remove("on"), { passive: true });
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
})();
