/** Watch: the player, and a page that becomes playable by itself. */
import { watch as texts } from "../../texts/en.json";
import { readSettings, writeSettings } from "../player/memory";
import { follow, videoPath } from "../shared/api";
import { copy } from "../shared/copy";
import { say } from "../shared/texts";
import { clock } from "../shared/words";
import "../player/element";
import "../shared/menu";

const main = document.querySelector<HTMLElement>("main.watch")!;
const root = document.documentElement;

// Theatre

function theatre(on: boolean): void {
  if (on) root.dataset.theatre = "";
  else delete root.dataset.theatre;
}

theatre(readSettings().theatre);
document.addEventListener("headwater-theatre", () => {
  theatre(!("theatre" in root.dataset));
  writeSettings({ theatre: "theatre" in root.dataset });
});

// The list of keys

const keys = document.querySelector<HTMLDialogElement>("#keys-sheet")!;
document.addEventListener("headwater-keys", () => keys.showModal());
keys.addEventListener("click", (event) => event.target === keys && keys.close());

// Following the video until nothing changes any more

const RANK = ["uploading", "processing", "playable", "ready"];

function followVideo(): void {
  const state = main.dataset.state!;
  if (state === "ready" || state === "failed") return;
  const source = follow(`${videoPath(main.dataset.video!)}/events`, (news) => {
    const player = document.querySelector("headwater-player");
    if (player) {
      player.progress = news.state === "ready" ? 1 : news.progress;
      player.speeds = news.speeds;
    }
    if (news.state === main.dataset.state) return;
    const played = ["playable", "ready"].includes(main.dataset.state!);
    main.dataset.state = news.state;
    if (played) document.querySelector("#making")!.textContent = news.state === "playable" ? texts.making : "";
    else void refresh();
    if (RANK.indexOf(news.state) === RANK.length - 1 || news.state === "failed") source.close();
  });
}

/** Put in what the server now says of this video; the rest of the page stays as it is. */
async function refresh(): Promise<void> {
  const response = await fetch(location.href).catch(() => null);
  if (!response?.ok) return void setTimeout(refresh, 2000);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const id of ["stage", "about"]) {
    const fresh = page.querySelector(`#${id}`);
    if (fresh) document.querySelector(`#${id}`)?.replaceWith(document.adoptNode(fresh));
  }
  const player = document.querySelector("headwater-player");
  if (player) player.autoplay = false; // somebody who waited may look elsewhere: no sudden sound
  document.title = page.title;
  prepare();
  if (player) document.querySelector("#making")!.textContent ||= texts.now_playable;
}

// The description, and sharing

function prepare(): void {
  const words = document.querySelector<HTMLElement>("#words");
  const unfold = document.querySelector<HTMLButtonElement>("#unfold");
  if (words && unfold) {
    unfold.hidden = words.scrollHeight <= words.clientHeight + 1;
    unfold.addEventListener("click", () => {
      const folded = words.classList.toggle("folded");
      unfold.textContent = folded ? texts.more : texts.less;
      unfold.setAttribute("aria-expanded", String(!folded));
    });
  }
  const share = document.querySelector<HTMLButtonElement>("#share");
  if (share) {
    share.hidden = false;
    share.addEventListener("click", openShare);
  }
}

const sheet = document.querySelector<HTMLDialogElement>("#share-sheet")!;
const address = sheet.querySelector<HTMLInputElement>("#share-address")!;
const at = sheet.querySelector<HTMLInputElement>("#share-moment")!;
const news = sheet.querySelector<HTMLElement>("#share-news")!;
let seconds = 0;

function openShare(): void {
  seconds = Math.floor(document.querySelector("headwater-player")?.video.currentTime ?? 0);
  at.checked = false;
  at.closest("label")!.hidden = seconds === 0;
  sheet.querySelector("#share-moment-words")!.textContent = say(texts.share_moment, { time: clock(seconds) });
  news.textContent = "";
  fill();
  sheet.showModal();
  address.select();
}

function fill(): void {
  address.value = `${location.origin}/watch/${main.dataset.video}${at.checked ? `?t=${seconds}` : ""}`;
}

at.addEventListener("change", fill);
sheet.querySelector("#share-copy")!.addEventListener("click", async () => {
  await copy(address.value).then(() => {
    news.textContent = texts.copied;
  });
});
sheet.addEventListener("click", (event) => event.target === sheet && sheet.close());

prepare();
followVideo();
