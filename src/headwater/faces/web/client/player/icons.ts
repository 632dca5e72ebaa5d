/** The player's pictograms: filled shapes on a 24-pixel field, in the colour of the text. */
import { svg, html, type TemplateResult } from "lit";

const icon = (path: string): TemplateResult =>
  html`<svg viewBox="0 0 24 24" aria-hidden="true" fill="currentColor">${svg`<path fill-rule="evenodd" d=${path} />`}</svg>`;

export const PLAY = icon("M8 5.2v13.6a.6.6 0 0 0 .92.5l10.6-6.8a.6.6 0 0 0 0-1L8.920 4.700A.6.6 0 0 0 8 5.200z");
export const PAUSE = icon("M7 5h3.500v14H7zM13.500 5H17v14h-3.500z");
export const REPLAY = icon("M12 5V2L7.500 6 12 10V7a5 5 0 1 1-5 5H5a7 7 0 1 0 7-7z");
export const LOUD = icon(
  "M4 9.500v5h3.200L12 19V5L7.200 9.500zM14.500 8.700v6.600a3.700 3.700 0 0 0 0-6.600zm0-4.100v2a5.800 5.800 0 0 1 0 10.800v2a7.700 7.700 0 0 0 0-14.800z",
);
export const QUIET = icon("M4 9.500v5h3.200L12 19V5L7.200 9.500zM14.500 8.700v6.600a3.700 3.700 0 0 0 0-6.600z");
export const MUTE = icon(
  "M4 9.500v5h3.200L12 19V5L7.200 9.500zM21 9.900 19.600 8.500 17.500 10.600 15.400 8.500 14 9.900 16.100 12 14 14.100 15.400 15.500 17.500 13.400 19.600 15.500 21 14.100 18.900 12z",
);
export const CAPTIONS = icon(
  "M5 5h14a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2zm5.800 5.700h-1.500v-.3H7.500v3.200h1.800v-.3h1.500v.7a1.100 1.100 0 0 1-1.100 1.100H7.100A1.100 1.100 0 0 1 6 14v-4a1.100 1.100 0 0 1 1.100-1.100h2.600a1.100 1.100 0 0 1 1.100 1.100zm7.200 0h-1.500v-.3h-1.800v3.200h1.800v-.3H18v.7a1.100 1.100 0 0 1-1.100 1.100h-2.600a1.100 1.100 0 0 1-1.100-1.100v-4a1.100 1.100 0 0 1 1.100-1.100h2.600A1.100 1.100 0 0 1 18 10z",
);
export const SETTINGS = icon(
  "M19.400 13a7.800 7.800 0 0 0 0-2l2-1.600-2-3.400-2.400 1a7.300 7.300 0 0 0-1.700-1L15 3.500h-4l-.4 2.500a7.300 7.300 0 0 0-1.700 1l-2.400-1-2 3.400L6.600 11a7.800 7.800 0 0 0 0 2l-2 1.600 2 3.400 2.400-1c.5.4 1.100.7 1.700 1l.4 2.500h4l.4-2.500c.6-.3 1.200-.6 1.700-1l2.400 1 2-3.400zM13 15.300a3.300 3.300 0 1 1 0-6.600 3.300 3.300 0 0 1 0 6.600z",
);
export const PIP = icon("M3 5h18v14H3zm2 2v10h14V7zm6.500 4.500H18V16h-6.500z");
export const THEATRE = icon("M2.500 6.500h19v11h-19zm2 2v7h15v-7z");
export const THEATRE_LEAVE = icon("M5 7.500h14v9H5zm2 2v5h10v-5z");
export const FULL = icon("M4 4h6v2H6v4H4zm10 0h6v6h-2V6h-4zM4 14h2v4h4v2H4zm14 0h2v6h-6v-2h4z");
export const FULL_LEAVE = icon("M8 4h2v6H4V8h4zm6 0h2v4h4v2h-6zM4 14h6v6H8v-4H4zm10 0h6v2h-4v4h-2z");
export const SOUND = icon("M11 4h1.500v16H11zM7.500 8H9v8H7.500zM14.500 7H16v10h-1.500zM4 10.500h1.500v3H4zM18 9.500h1.500v5H18z");
export const CHECK = icon("M9.500 17.400 4.600 12.500 6 11.100l3.500 3.500L18 6.100l1.400 1.400z");
export const CHEVRON = icon("M9.500 6 8.100 7.400 12.700 12l-4.600 4.600L9.500 18l6-6z");
export const BACK = icon("M14.500 6 15.900 7.400 11.300 12l4.600 4.600-1.400 1.400-6-6z");
