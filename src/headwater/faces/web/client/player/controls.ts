/** How the player looks for the state it is in: no state of its own, every act is the player's. */
import { type TemplateResult, html, nothing } from "lit";
import { player as texts } from "../../texts/en.json";
import { say } from "../shared/texts";
import { clock } from "../shared/words";
import type { Choice } from "./engine";
import * as acts from "./acts";
import type { HeadwaterPlayer } from "./element";
import * as icons from "./icons";
import type { Menu, MenuPage } from "./menu";
import "./menu";
import "./seek";

export function controls(player: HeadwaterPlayer): TemplateResult {
  const { paused, trouble } = player;
  const shown = player.fading.shown;
  return html`
    <div class="frame ${shown ? "shown" : "idle"}">
      <slot name="media"></slot>
      <div class="captions"></div>
      ${player.soundOnly ? html`<div class="sound">${icons.SOUND}</div>` : nothing}
      <div class="surface" @click=${(event: PointerEvent) => onSurface(player, event)}
        @dblclick=${(event: MouseEvent) => onDouble(player, event)}></div>
      ${centre(player)} ${chip(player)}
      ${trouble ? nothing : bar(player, paused)}
      <headwater-menu .pages=${pages(player)} @menu-closed=${() => focusSettings(player)}></headwater-menu>
      ${trouble ? problem(player) : nothing}
      <div class="unseen" role="status">${player.preparing ? texts.preparing : player.news}</div>
    </div>
  `;
}

let touched = false;

/** A click plays or pauses; a tap first brings the controls, since there is no pointer to hover. */
function onSurface(player: HeadwaterPlayer, event: PointerEvent): void {
  const menu = menuOf(player);
  if (menu?.open) return menu.hide();
  touched = event.pointerType === "touch";
  if (!touched) player.toggle();
}

/** A double click fills the screen; a double tap on the left or right third jumps ten seconds. */
function onDouble(player: HeadwaterPlayer, event: MouseEvent): void {
  if (!touched) return acts.toggleFullscreen(player);
  const box = player.getBoundingClientRect();
  const share = (event.clientX - box.left) / box.width;
  if (share < 0.35) player.skip(-10);
  else if (share > 0.65) player.skip(10);
  else player.toggle();
}

/** The big button goes when it was pressed; the focus stays in the player. */
function press(player: HeadwaterPlayer): void {
  player.toggle();
  player.focus({ preventScroll: true });
}

function centre(player: HeadwaterPlayer): TemplateResult {
  const { state, paused, buffering, trouble, video } = player;
  if (trouble) return html``;
  const waits = state === "loading" || (buffering && !paused);
  const ended = video?.ended;
  const big = html`<button class="big" aria-label=${ended ? texts.replay : texts.play}
    @click=${() => press(player)}>${ended ? icons.REPLAY : icons.PLAY}</button>`;
  const spinner = html`<div class="spinner" role="img" aria-label=${texts.buffering}></div>`;
  return html`<div class="centre">${waits ? spinner : paused ? big : nothing}</div>`;
}

function chip(player: HeadwaterPlayer): TemplateResult | typeof nothing {
  if (player.preparing) return html`<div class="chip">${texts.preparing}</div>`;
  if (!player.chip) return nothing;
  return html`<div class="chip">${player.chip}
    <button @click=${() => player.startOver()}>${texts.from_start}</button></div>`;
}

function problem(player: HeadwaterPlayer): TemplateResult {
  const sentence = texts[`error_${player.trouble!}`];
  const reloads = player.trouble === "gone" || player.trouble === "login"; // the page says what became of it
  const act = reloads ? () => location.reload() : () => player.retry();
  return html`<div class="trouble" role="alert"><p>${sentence}</p>
    ${player.trouble === "unsupported" ? nothing : html`<button @click=${act}>${reloads ? texts.reload : texts.try_again}</button>`}</div>`;
}

function button(label: string, icon: TemplateResult, act: () => void, name = "", pressed?: boolean): TemplateResult {
  return html`<button class=${name} aria-label=${label} title=${label} aria-pressed=${pressed ?? nothing} @click=${act}>
    ${icon}</button>`;
}

function bar(player: HeadwaterPlayer, paused: boolean): TemplateResult {
  const { video, duration } = player;
  const full = document.fullscreenElement === player;
  const captions = player.engine?.captions() ?? [];
  const playLabel = video?.ended ? texts.replay : paused ? texts.play : texts.pause;
  const playIcon = video?.ended ? icons.REPLAY : paused ? icons.PLAY : icons.PAUSE;
  return html`<div class="bar">
    <headwater-seek .duration=${duration} .storyboard=${player.storyboard}
      @seek-to=${(event: CustomEvent<number>) => player.seek(event.detail)}></headwater-seek>
    <div class="row">
      ${button(playLabel, playIcon, () => player.toggle(), "play")} ${volume(player)}
      <div class="time"><span class="unseen">${texts.time}</span><b id="now" .textContent=${clock(video?.currentTime ?? 0)}></b>
        <span>/ ${clock(duration)}</span></div>
      <div class="gap"></div>
      ${captionsButton(player, captions)}
      <button class="settings" aria-label=${settingsLabel(player)} aria-haspopup="menu"
        aria-expanded=${menuOf(player)?.open ? "true" : "false"} title=${texts.settings}
        @click=${() => toggleMenu(player)}>${icons.SETTINGS}${player.qualities.length ? html`<span class="now">${qualityLabel(player)}</span>` : nothing}</button>
      ${pip(player)}
      ${full ? nothing : theatre(player)}
      ${button(full ? texts.fullscreen_leave : texts.fullscreen, full ? icons.FULL_LEAVE : icons.FULL, () => acts.toggleFullscreen(player), "full")}
    </div>
  </div>`;
}

function settingsLabel(player: HeadwaterPlayer): string {
  return player.qualities.length ? `${texts.settings}: ${qualityLabel(player)}` : texts.settings;
}

function volume(player: HeadwaterPlayer): TemplateResult {
  const { video } = player;
  const level = video?.muted ? 0 : (video?.volume ?? 1);
  const icon = level === 0 ? icons.MUTE : level < 0.5 ? icons.QUIET : icons.LOUD;
  const slide = (event: Event): void => {
    acts.setVolume(player, (event.target as HTMLInputElement).valueAsNumber);
  };
  return html`<div class="volume">
    ${button(video?.muted ? texts.unmute : texts.mute, icon, () => acts.toggleMute(player), "mute")}
    <input type="range" min="0" max="1" step="0.05" .value=${String(level)} aria-label=${texts.volume}
      aria-valuetext="${Math.round(level * 100)} %" @input=${slide} />
  </div>`;
}

function captionsButton(player: HeadwaterPlayer, captions: Choice[]): TemplateResult {
  const on = captions.some((choice) => choice.active);
  const label = captions.length ? texts.captions : texts.captions_none;
  return html`<button aria-label=${label} title=${label} aria-pressed=${on} ?disabled=${!captions.length}
    @click=${() => acts.toggleCaptions(player)}>${icons.CAPTIONS}</button>`;
}

function pip(player: HeadwaterPlayer): TemplateResult | typeof nothing {
  if (!document.pictureInPictureEnabled) return nothing;
  const inside = document.pictureInPictureElement === player.video;
  return button(inside ? texts.pip_leave : texts.pip, icons.PIP, () => acts.togglePictureInPicture(player), "pip swap");
}

function theatre(player: HeadwaterPlayer): TemplateResult {
  const on = "theatre" in document.documentElement.dataset;
  const label = on ? texts.theatre_leave : texts.theatre;
  return button(label, on ? icons.THEATRE_LEAVE : icons.THEATRE, () => acts.toggleTheatre(player), "theatre swap");
}

// The menu

function menuOf(player: HeadwaterPlayer): Menu | null {
  return player.renderRoot?.querySelector<Menu>("headwater-menu") ?? null;
}

function toggleMenu(player: HeadwaterPlayer): void {
  const menu = menuOf(player);
  if (menu?.open) menu.hide();
  else void menu?.show().then(() => player.requestUpdate());
}

function focusSettings(player: HeadwaterPlayer): void {
  player.requestUpdate();
  player.renderRoot.querySelector<HTMLElement>(".settings")?.focus({ preventScroll: true });
}

function qualityLabel(player: HeadwaterPlayer): string {
  if (player.chosen !== null) return `${player.chosen}p`;
  return player.quality ? say(texts.auto_chose, { quality: `${player.quality}p` }) : texts.auto;
}

function speedLabel(speed: number): string {
  return speed === 1 ? texts.normal : `${speed}×`;
}

function pages(player: HeadwaterPlayer): MenuPage[] {
  const captions = player.engine?.captions() ?? [];
  const audio = player.engine?.audio() ?? [];
  return [
    ...(player.qualities.length ? [qualityPage(player)] : []),
    speedPage(player),
    ...(captions.length ? [captionsPage(player, captions)] : []),
    ...(audio.length > 1 ? [audioPage(player, audio)] : []),
  ];
}

function qualityPage(player: HeadwaterPlayer): MenuPage {
  const heights = [...player.qualities].reverse();
  const auto = player.chosen === null ? qualityLabel(player) : texts.auto;
  return {
    name: "quality",
    label: texts.quality,
    value: qualityLabel(player),
    options: [
      { label: auto, active: player.chosen === null, choose: () => player.choose(null) },
      ...heights.map((height) => ({
        label: `${height}p`,
        active: player.chosen === height,
        choose: () => player.choose(height),
      })),
    ],
  };
}

function speedPage(player: HeadwaterPlayer): MenuPage {
  const now = acts.speedOf(player);
  const options = acts.SPEEDS.map((speed) => ({
    label: speedLabel(speed),
    active: speed === now,
    choose: () => acts.setSpeed(player, speed),
  }));
  return { name: "speed", label: texts.speed, value: speedLabel(now), options };
}

function captionsPage(player: HeadwaterPlayer, captions: Choice[]): MenuPage {
  const off = { label: texts.captions_off, active: !captions.some(({ active }) => active) };
  return {
    name: "captions",
    label: texts.captions,
    value: captions.find(({ active }) => active)?.label || texts.captions_off,
    options: [
      { ...off, choose: () => acts.chooseCaptions(player, null) },
      ...captions.map((choice) => ({
        label: choice.label || languageName(choice.language, choice.id),
        active: choice.active,
        choose: () => acts.chooseCaptions(player, choice.id),
      })),
    ],
  };
}

function audioPage(player: HeadwaterPlayer, audio: Choice[]): MenuPage {
  const labelled = audio.map((choice) => ({
    label: choice.label || languageName(choice.language, choice.id),
    active: choice.active,
    choose: () => {
      player.engine?.chooseAudio(choice.id);
      player.requestUpdate();
    },
  }));
  return { name: "audio", label: texts.audio, value: labelled.find(({ active }) => active)?.label ?? "", options: labelled };
}

function languageName(code: string, at: number): string {
  const unnamed = say(texts.audio_unnamed, { n: at + 1 });
  if (!code || code === "und") return unnamed;
  return new Intl.DisplayNames([document.documentElement.lang, "en"], { type: "language" }).of(code) ?? unnamed;
}
