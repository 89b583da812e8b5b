/** The frame of every page. */
import { html } from "./html.js";
import type { Html } from "./html.js";

/** What every page is drawn with. */
export interface PageFrame {
  /** Relative address of the console's root, for example `../`. */
  readonly base: string;
  readonly csrf: string;
}

/** A whole page. */
export const page = (frame: PageFrame, title: string, content: Html): string => {
  const { base, csrf } = frame;
  const body = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="continuo-csrf" content="${csrf}" />
        <title>${title} · Continuo</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href="${base}console.css" />
        <script src="${base}console.js" defer></script>
      </head>
      <body data-base="${base}">
        <a class="skip" href="#content">Skip to content</a>
        <header class="top">
          <div>
            <strong><a href="${base}">Continuo</a></strong>
            <nav aria-label="Sections">
              <a href="${base}#models">Models</a><a href="${base}#timeline">Timeline</a
              ><a href="${base}#runs">Runs</a><a href="${base}#rollouts">Rollouts</a
              ><a href="${base}#dead-letters">Dead letters</a>
            </nav>
            <span id="live" role="status">connecting</span>
          </div>
        </header>
        <main id="content">${content}</main>
        <div id="toast" role="status" aria-live="polite"></div>
      </body>
    </html>`;
  return body.html;
};

/** A page for people who may not look, without anything of the system. */
export const plainPage = (title: string, text: string): string =>
  html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title} · Continuo</title>
        <link rel="icon" href="data:," />
      </head>
      <body>
        <main>
          <h1>${title}</h1>
          <p>${text}</p>
        </main>
      </body>
    </html>`.html;
