/** A short message at the corner, with a way back where there is one. */
const SHOWN_MS = 8000;

function shelf(): HTMLElement {
  let box = document.querySelector<HTMLElement>(".toasts");
  if (!box) {
    box = document.createElement("div");
    box.className = "toasts";
    box.setAttribute("role", "status");
    document.body.append(box);
  }
  return box;
}

/** Show `words`; it stays while the pointer or the focus is on it. */
export function toast(words: string, action?: { label: string; act: () => void }, shown_ms = SHOWN_MS): void {
  const box = document.createElement("div");
  box.className = "toast";
  const text = document.createElement("p");
  text.textContent = words;
  box.append(text);
  if (action) {
    const button = document.createElement("button");
    button.textContent = action.label;
    button.addEventListener("click", () => {
      box.remove();
      action.act();
    });
    box.append(button);
  }
  shelf().append(box);
  leaveAfter(box, shown_ms);
}

/** Let the toasts that came with the document go as all others do, and not come again with it. */
export function adoptToasts(shown_ms: number): void {
  const found = document.querySelectorAll<HTMLElement>(".toast");
  for (const box of found) leaveAfter(box, shown_ms);
  if (found.length) history.replaceState(history.state, "", location.pathname);
}

function leaveAfter(box: HTMLElement, shown_ms: number): void {
  const leave = (): void => {
    if (box.matches(":hover, :focus-within")) setTimeout(leave, 1000);
    else box.remove();
  };
  setTimeout(leave, shown_ms);
}
