/** A menu of choices with one page per setting; arrows move, Escape and the left arrow go back. */
import { LitElement, css, html, nothing } from "lit";
import { player as texts } from "../../texts/en.json";
import { BACK, CHECK, CHEVRON } from "./icons";

export interface Option {
  label: string;
  active: boolean;
  choose(): void;
}

export interface MenuPage {
  name: string;
  label: string;
  value: string;
  options: Option[];
}

export class Menu extends LitElement {
  static override properties = {
    pages: { attribute: false },
    open: { type: Boolean, reflect: true },
    page: { state: true },
  };
  declare pages: MenuPage[];
  declare open: boolean;
  declare page: string | null;

  constructor() {
    super();
    this.pages = [];
    this.open = false;
    this.page = null;
  }

  /** Show the menu, at one setting's page or at the list of them, with the focus inside. */
  async show(page: string | null = null): Promise<void> {
    this.open = true;
    await this.turn(page);
  }

  hide(): void {
    if (!this.open) return;
    this.open = false;
    this.dispatchEvent(new Event("menu-closed"));
  }

  private async turn(page: string | null, focusOn?: string): Promise<void> {
    this.page = page;
    await this.updateComplete;
    const items = this.items();
    const active = items.find((item) => (focusOn && item.dataset.page === focusOn) || item.getAttribute("aria-checked") === "true");
    (active ?? items[0])?.focus();
  }

  private items(): HTMLElement[] {
    return [...this.renderRoot.querySelectorAll<HTMLElement>("button[role]")];
  }

  override render() {
    if (!this.open) return nothing;
    const page = this.pages.find(({ name }) => name === this.page);
    return html`<div role="menu" aria-label=${page?.label ?? texts.settings} @keydown=${this.onKey}>
      ${page ? this.renderChoices(page) : this.renderPages()}
    </div>`;
  }

  private renderPages() {
    return this.pages.map(
      (page) => html`<button role="menuitem" aria-haspopup="menu" data-page=${page.name} tabindex="-1"
        @click=${() => this.turn(page.name)}>
        <span>${page.label}</span><span class="value">${page.value}</span>${CHEVRON}
      </button>`,
    );
  }

  private renderChoices(page: MenuPage) {
    return html`
      <button role="menuitem" class="back" tabindex="-1" aria-label="${texts.back}: ${page.label}"
        @click=${() => this.turn(null, page.name)}>${BACK}<span>${page.label}</span></button>
      ${page.options.map(
        (option) => html`<button role="menuitemradio" aria-checked=${option.active} tabindex="-1"
          @click=${() => this.take(option)}>
          <span class="tick">${option.active ? CHECK : nothing}</span><span>${option.label}</span>
        </button>`,
      )}
    `;
  }

  private take(option: Option): void {
    option.choose();
    this.hide();
  }

  private onKey(event: KeyboardEvent): void {
    const items = this.items();
    const at = items.indexOf(this.shadowRoot!.activeElement as HTMLElement);
    const moves: Record<string, () => void> = {
      ArrowDown: () => items[(at + 1) % items.length]?.focus(),
      ArrowUp: () => items[(at - 1 + items.length) % items.length]?.focus(),
      Home: () => items[0]?.focus(),
      End: () => items.at(-1)?.focus(),
      ArrowRight: () => items[at]?.dataset.page && items[at].click(),
      ArrowLeft: () => this.page && this.turn(null, this.page),
      Escape: () => (this.page ? this.turn(null, this.page) : this.hide()),
      Tab: () => this.hide(),
    };
    const move = moves[event.key];
    if (!move) return;
    if (event.key !== "Tab") event.preventDefault();
    event.stopPropagation();
    move();
  }

  static override styles = css`
    :host {
      position: absolute;
      right: 8px;
      bottom: 88px;
      display: none;
    }
    :host([open]) {
      display: block;
    }
    div[role] {
      min-width: 220px;
      box-sizing: border-box;
      max-width: calc(100cqw - 16px);
      max-height: calc(100cqh - 104px);
      overflow-y: auto;
      padding: 6px;
      border-radius: 10px;
      background: rgb(14 17 19 / 94%);
      box-shadow: 0 8px 24px rgb(0 0 0 / 40%);
    }
    /* In a low player the menu lies over the bar rather than ending above the picture. */
    @container (max-height: 420px) {
      :host {
        bottom: 8px;
      }
      div[role] {
        max-height: calc(100cqh - 16px);
      }
    }
    button {
      display: flex;
      align-items: center;
      gap: 12px;
      width: 100%;
      min-height: 36px;
      padding: 0 10px;
      border: 0;
      border-radius: 6px;
      background: none;
      color: inherit;
      font: inherit;
      text-align: left;
      cursor: pointer;
    }
    button:hover {
      background: rgb(255 255 255 / 12%);
    }
    button:focus-visible {
      outline: 2px solid var(--accent);
      outline-offset: -2px;
    }
    svg {
      flex: none;
      width: 20px;
      height: 20px;
    }
    .value {
      margin-left: auto;
      color: var(--quiet);
    }
    .tick {
      display: grid;
      width: 20px;
      height: 20px;
      color: var(--accent);
    }
    .back {
      margin-bottom: 4px;
      font-weight: 600;
    }
  `;
}

customElements.define("headwater-menu", Menu);
