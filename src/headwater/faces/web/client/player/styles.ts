/** The player's own look: the same in light and dark pages, since it lies on the picture. */
import { css } from "lit";

export const styles = css`
  :host {
    --accent: #5fc9d1;
    --panel: rgb(14 17 19 / 82%);
    --fg: #f4f6f7;
    --quiet: #b4bdc3;
    position: relative;
    display: block;
    color: var(--fg);
    font: 400 14px / 1.4 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
    container-type: size;
    user-select: none;
    -webkit-user-select: none;
    touch-action: manipulation;
  }
  :host(:focus) {
    outline: none; /* by a click or in place of the big button: nothing in it was chosen */
  }
  :host(:fullscreen) {
    border-radius: 0;
    max-height: none;
    width: 100%;
    height: 100%;
  }
  .frame {
    position: absolute;
    inset: 0;
    overflow: hidden;
    background: #000;
    outline: none;
  }
  .frame.idle {
    cursor: none;
  }
  ::slotted(video) {
    position: absolute;
    inset: 0;
    width: 100%;
    height: 100%;
  }
  .captions {
    position: absolute;
    inset: 0 0 8px;
    pointer-events: none;
    transition: bottom 140ms;
  }
  .shown .captions {
    bottom: 92px;
  }
  .shaka-text-container {
    position: absolute;
    inset: 0;
    padding: 0 4%;
    font-size: clamp(14px, 3.4cqw, 32px);
    line-height: 1.35;
  }
  .shaka-text-container span {
    white-space: pre-line;
  }
  .surface {
    position: absolute;
    inset: 0;
  }
  .sound {
    position: absolute;
    inset: 0;
    display: grid;
    place-items: center;
    color: #5d686f;
    pointer-events: none;
  }
  .sound svg {
    width: 96px;
    height: 96px;
  }
  .centre {
    position: absolute;
    inset: 0;
    display: grid;
    place-items: center;
    pointer-events: none;
  }
  .big {
    display: grid;
    place-items: center;
    width: 76px;
    height: 76px;
    border: 0;
    border-radius: 50%;
    background: var(--panel);
    color: var(--fg);
    cursor: pointer;
    pointer-events: auto;
  }
  .big:hover {
    background: rgb(14 17 19 / 95%);
  }
  .big svg {
    width: 40px;
    height: 40px;
  }
  .spinner {
    width: 48px;
    height: 48px;
    border: 4px solid rgb(255 255 255 / 28%);
    border-top-color: var(--fg);
    border-radius: 50%;
    animation: turn 900ms linear infinite;
  }
  @keyframes turn {
    to {
      transform: rotate(1turn);
    }
  }
  .chip {
    position: absolute;
    left: 12px;
    top: 12px;
    display: flex;
    align-items: center;
    gap: 4px;
    max-width: calc(100% - 24px);
    padding: 6px 12px;
    border-radius: 8px;
    background: var(--panel);
  }
  .chip button {
    min-height: 28px;
    margin: -2px -6px -2px 0;
    padding: 0 8px;
    border: 0;
    border-radius: 6px;
    background: none;
    color: var(--accent);
    font: inherit;
    font-weight: 600;
    cursor: pointer;
  }
  .trouble {
    position: absolute;
    inset: 0;
    display: grid;
    place-content: center;
    justify-items: center;
    gap: 16px;
    padding: 24px;
    background: rgb(10 12 13 / 88%);
    text-align: center;
  }
  .trouble p {
    margin: 0;
    max-width: 46ch;
    font-size: 16px;
  }
  .trouble button {
    min-height: 40px;
    padding: 0 20px;
    border: 0;
    border-radius: 6px;
    background: var(--accent);
    color: #04292c;
    font: inherit;
    font-weight: 600;
    cursor: pointer;
  }
  .bar {
    position: absolute;
    left: 8px;
    right: 8px;
    bottom: 8px;
    padding: 4px 8px 4px;
    border-radius: 10px;
    background: var(--panel);
    opacity: 0;
    pointer-events: none; /* faded, but the keyboard still finds it, and then it shows */
    transition: opacity 140ms;
  }
  .shown .bar {
    opacity: 1;
    pointer-events: auto;
  }
  .row {
    display: flex;
    align-items: center;
    gap: 2px;
  }
  .row button {
    display: grid;
    place-items: center;
    flex: none;
    width: 40px;
    height: 40px;
    padding: 0;
    border: 0;
    border-radius: 8px;
    background: none;
    color: inherit;
    cursor: pointer;
  }
  .row button:hover {
    background: rgb(255 255 255 / 14%);
  }
  .row button[disabled] {
    color: #7d868c;
    cursor: default;
    background: none;
  }
  .row button[aria-pressed="true"]:not(.swap) {
    box-shadow: inset 0 -3px 0 -1px var(--accent);
  }
  .row svg {
    width: 24px;
    height: 24px;
  }
  :focus-visible {
    outline: 2px solid var(--accent);
    outline-offset: 1px;
  }
  .time {
    padding: 0 8px;
    font-variant-numeric: tabular-nums;
    white-space: nowrap;
  }
  .time span {
    color: var(--quiet);
  }
  .gap {
    flex: 1;
  }
  .volume {
    display: flex;
    align-items: center;
  }
  .volume input {
    width: 72px;
    height: 24px;
    margin: 0 8px 0 4px;
    accent-color: var(--fg);
    cursor: pointer;
  }
  .chosen {
    display: grid;
  }
  .row .settings {
    display: flex;
    align-items: center;
    gap: 6px;
    width: auto;
    padding: 0 8px;
  }
  .settings .now {
    min-width: 5ch;
    font-size: 13px;
    font-weight: 600;
    font-variant-numeric: tabular-nums;
  }
  .unseen {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  [hidden] {
    display: none !important;
  }
  @container (max-width: 620px) {
    .volume input,
    .theatre {
      display: none !important;
    }
  }
  @container (max-width: 440px) {
    .pip,
    .settings .now {
      display: none !important;
    }
    .big {
      width: 64px;
      height: 64px;
    }
    .time {
      padding: 0 4px;
      font-size: 13px;
    }
  }
  @media (hover: none) {
    .volume input {
      display: none;
    }
  }
  @media (prefers-reduced-motion: reduce) {
    * {
      transition: none !important;
    }
    .spinner {
      animation-duration: 4s;
    }
  }
`;
