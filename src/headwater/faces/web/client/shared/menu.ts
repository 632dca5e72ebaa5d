/** The account menu closes like a menu: on Escape, and on a press or the focus elsewhere. */
function closeOthers(target: EventTarget | null): void {
  document.querySelectorAll<HTMLDetailsElement>("details.account[open]").forEach((menu) => {
    if (!menu.contains(target as Node)) menu.open = false;
  });
}

document.addEventListener("pointerdown", (event) => closeOthers(event.target));
document.addEventListener("focusin", (event) => closeOthers(event.target));
document.addEventListener("keydown", (event) => {
  const menu = document.querySelector<HTMLDetailsElement>("details.account[open]");
  if (event.key !== "Escape" || !menu) return;
  menu.open = false;
  menu.querySelector("summary")?.focus();
});
