/** How one upload looks in each of its stages. */
import { type TemplateResult, html, nothing } from "lit";
import { upload as texts, visibility } from "../../texts/en.json";
import { copy } from "../shared/copy";
import { type Sentence, say } from "../shared/texts";
import { toast } from "../shared/toast";
import { left, size } from "../shared/words";
import type { Uploads } from "./element";
import type { Sending } from "./sending";

export function card(list: Uploads, item: Sending): TemplateResult {
  return html`<li class="upload" data-stage=${item.stage} data-video=${item.video || nothing}>
    <div class="poster">${item.poster ? html`<img src=${item.poster} alt="" width="320" height="180" @error=${hide} />` : nothing}</div>
    <div class="body">
      ${fields(item)} ${bars(item)}
      <p class="status small ${isBad(item) ? "bad" : "quiet"}">${status(item)}
        ${item.titleState ? html`<span class="saved">${texts[item.titleState]}</span>` : nothing}</p>
      ${item.stage === "unfinished" && item.problem ? html`<p class="small bad" role="alert">${wrongFile(item)}</p>` : nothing}
      <div class="acts">${actions(list, item)}</div>
    </div>
  </li>`;
}

/** A video without pictures has no poster. */
const hide = (event: Event): void => {
  (event.target as HTMLElement).hidden = true;
};
const isBad = ({ stage }: Sending): boolean => ["failed", "refused", "gone"].includes(stage);
const wrongFile = (item: Sending): string => say(texts.unfinished_wrong, { name: item.name, size: size(item.size) });
const percent = (item: Sending): number => (item.size ? Math.floor((item.sent / item.size) * 100) : 0);

function fields(item: Sending): TemplateResult {
  const rename = (event: Event): void => {
    item.title = (event.target as HTMLInputElement).value;
    void item.saveTitle();
  };
  const show = (event: Event): void => {
    item.visibility = (event.target as HTMLSelectElement).value;
    void item.saveVisibility();
  };
  const fixed = isBad(item);
  return html`<div class="fields">
    <input class="input" aria-label=${texts.name} .value=${item.title} maxlength="200" ?disabled=${fixed} @change=${rename} />
    <select class="input" aria-label=${texts.visibility} ?disabled=${fixed} @change=${show}>
      ${(["public", "unlisted", "private"] as const).map(
        (choice) => html`<option value=${choice} ?selected=${item.visibility === choice}>${visibility[choice]}</option>`,
      )}
    </select>
  </div>`;
}

function bars(item: Sending): TemplateResult | typeof nothing {
  if (isBad(item)) return nothing;
  const made = Math.floor(item.made * 100);
  return html`<div class="bars">
    ${bar(texts.sent, item.sent, item.size, say(texts.sent_value, { percent: percent(item) }))}
    ${item.stage === "processing"
      ? html`<label>${texts.made}</label><progress aria-label=${texts.made}></progress><span></span>`
      : bar(texts.made, item.made, 1, item.isSent ? say(texts.sent_value, { percent: made }) : "")}
  </div>`;
}

function bar(label: string, value: number, most: number, words: string): TemplateResult {
  return html`<label>${label}</label><progress aria-label=${label} max=${most || 1} value=${value}></progress><span>${words}</span>`;
}

function status(item: Sending): string {
  switch (item.stage) {
    case "waiting":
      return item.sent ? say(texts.continuing, { percent: percent(item) }) : texts.waiting;
    case "sending":
      return sendingWords(item);
    case "paused":
      return say(texts.paused, { percent: percent(item) });
    case "retrying":
      return texts.retrying;
    case "later":
      return say(texts.later, { n: Math.max(1, Math.ceil((item.againAt - performance.now()) / 60_000)) });
    case "unfinished":
      return say(texts.unfinished, { percent: percent(item) });
    case "gone":
      return texts.unfinished_gone;
    case "refused":
      return say(texts.refused, { reason: item.problem });
    case "processing":
      return texts.processing;
    case "playable":
      return item.readyIn === null ? texts.playable : say(texts.playable_left, { left: left(item.readyIn) });
    case "ready":
      return texts.ready;
    case "failed":
      return say(texts.failed, { reason: item.problem });
  }
}

function sendingWords(item: Sending): string {
  const seconds = item.pace.left(item.size - item.sent);
  const amounts = { sent: size(item.sent), size: size(item.size) };
  if (item.pace.speed <= 0) return say(texts.sending_slow, amounts);
  const speed = `${size(item.pace.speed)}/s`;
  return say(texts.sending, { ...amounts, speed, left: seconds === null ? texts.left_unknown : leftWords(seconds) });
}

function leftWords(seconds: number): string {
  const pick = (sentence: Sentence, n: number): string => say(sentence, { n });
  if (seconds < 55) return pick(texts.left_s, Math.max(1, Math.ceil(seconds / 5) * 5));
  if (seconds < 55 * 60) return pick(texts.left_min, Math.round(seconds / 60) || 1);
  return pick(texts.left_h, Math.round(seconds / 3600) || 1);
}

function actions(list: Uploads, item: Sending): TemplateResult {
  const { stage, video } = item;
  const canWatch = stage === "playable" || stage === "ready";
  return html`
    ${canWatch ? html`<a class="button low main" href="/watch/${video}">${texts.link}</a>` : nothing}
    ${stage === "sending" || stage === "retrying" || stage === "waiting" || stage === "later" ? act(texts.pause, () => list.pause(item), item) : nothing}
    ${stage === "paused" ? act(texts.resume, () => list.resume(item), item) : nothing}
    ${stage === "unfinished" ? chooseAgain(list, item) : nothing}
    ${stage === "failed" && item.mayPass ? act(texts.again, () => void item.retryMaking(), item) : nothing}
    ${video && !isBad(item) ? act(texts.copy_link, () => void copyLink(video), item) : nothing}
    ${item.isSent && stage !== "failed" ? html`<a class="button low plain" href="/studio/videos/${video}">${texts.details}</a>` : nothing}
    ${act(texts.remove, () => list.takeAway(item), item)}
  `;
}

function act(label: string, run: () => void, item: Sending): TemplateResult {
  return html`<button class="button low plain" aria-label="${label}: ${item.title}" @click=${run}>${label}</button>`;
}

function chooseAgain(list: Uploads, item: Sending): TemplateResult {
  const choose = (event: Event): void => {
    const file = (event.target as HTMLInputElement).files?.[0];
    if (file) list.takeFor(item, file);
  };
  return html`<label class="button low main">${texts.unfinished_choose}
    <input class="unseen" type="file" @change=${choose} /></label>`;
}

async function copyLink(video: string): Promise<void> {
  await copy(new URL(`/watch/${video}`, location.href).href);
  toast(texts.copied);
}
