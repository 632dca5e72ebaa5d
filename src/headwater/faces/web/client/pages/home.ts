/** Home: more videos in place, and a glimpse of each on hover and focus. */
import { home as texts } from "../../texts/en.json";
import { say } from "../shared/texts";
import { paint, storyboard } from "../player/storyboard";
import "../shared/menu";

const GLIMPSE_AFTER_MS = 350;
const PICTURE_MS = 700;

async function more(link: HTMLAnchorElement): Promise<void> {
  const news = document.querySelector<HTMLElement>("#news")!;
  link.setAttribute("aria-disabled", "true");
  news.textContent = texts.loading;
  try {
    const response = await fetch(link.href);
    if (!response.ok) throw new Error(response.statusText);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const cards = [...page.querySelectorAll("#videos > li")];
    document.querySelector("#videos")!.append(...cards);
    news.textContent = say(texts.loaded, { n: cards.length });
    cards[0]?.querySelector<HTMLElement>("a")?.focus({ preventScroll: true });
    const next = page.querySelector<HTMLAnchorElement>("#more");
    if (next) link.href = next.href;
    else link.parentElement?.remove();
  } catch {
    news.textContent = texts.failed;
    news.classList.remove("unseen");
  } finally {
    link.removeAttribute("aria-disabled");
  }
}

/** Step through the storyboard of `card` while the pointer or the focus rests on it. */
function glimpse(card: HTMLElement): void {
  const poster = card.querySelector<HTMLElement>(".poster")!;
  const box = document.createElement("span");
  box.className = "preview";
  let ended = false;
  let timer = 0;
  const end = (): void => {
    ended = true;
    clearTimeout(timer);
    box.remove();
  };
  for (const name of ["pointerleave", "blur"]) card.addEventListener(name, end, { once: true });
  timer = window.setTimeout(async () => {
    const tiles = await storyboard(card.dataset.storyboard!);
    if (!tiles.length || ended) return;
    await preload(tiles[0]!.address);
    const step = Math.max(1, Math.floor(tiles.length / 24));
    let at = 0;
    const turn = (): void => {
      if (ended) return;
      const tile = tiles[at % tiles.length]!;
      const fit = Math.min(poster.clientWidth / tile.width, poster.clientHeight / tile.height);
      paint(box, tile, tile.width * fit);
      box.isConnected || poster.insertBefore(box, poster.querySelector(".length"));
      at += step;
      timer = window.setTimeout(turn, PICTURE_MS);
    };
    turn();
  }, GLIMPSE_AFTER_MS);
}

async function preload(address: string): Promise<void> {
  const image = new Image();
  image.src = address;
  await image.decode().catch(() => {});
}

document.addEventListener("click", (event) => {
  const link = (event.target as Element).closest<HTMLAnchorElement>("#more");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  if (link.getAttribute("aria-disabled") !== "true") void more(link);
});

if (!matchMedia("(prefers-reduced-motion: reduce)").matches) {
  for (const name of ["pointerover", "focusin"]) {
    document.addEventListener(name, (event) => {
      const card = (event.target as Element).closest<HTMLElement>(".card[data-storyboard]");
      const inside = card?.contains((event as PointerEvent).relatedTarget as Node | null);
      if (card && !inside && (event as PointerEvent).pointerType !== "touch") glimpse(card);
    });
  }
}
