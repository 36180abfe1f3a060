// Drives a browser as a person does, step by step: takes lines of JSON from standard input, and answers each with one
// on standard output. Ends, and the browser with it, when its input ends.
//
// Started with the path of the browser. The folder of the packages is NODE_PATH.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(process.env.NODE_PATH + "/");
const { chromium } = require("playwright-core");
const { source: axe } = require("axe-core");

const browser = await chromium.launch({ executablePath: process.argv[2] });
// What no page may do: complain, or ask somebody else.
let wrong = [];
let page, origin, instead = null;

const steps = {
  // Opens an address in a new window. With `mount`, a gateway before the bridge takes that part off the path.
  async open({ url, dark = false, width = 1280, mount = "" }) {
    await page?.context().close();
    const context = await browser.newContext({
      colorScheme: dark ? "dark" : "light", viewport: { width, height: 900 }, reducedMotion: "reduce",
    });
    page = await context.newPage();
    page.setDefaultTimeout(15_000);
    origin = new URL(url).origin;
    page.on("pageerror", error => wrong.push("error: " + error.message));
    page.on("console", line => {
      // That an answer was no good is for the page to say, and for the test to look for.
      if (["error", "warning"].includes(line.type()) && !line.text().startsWith("Failed to load resource")) wrong.push(line.text());
    });
    await page.route(() => true, route => {
      const asked = new URL(route.request().url());
      if (asked.protocol === "data:") return route.continue();
      if (asked.origin !== origin || !asked.pathname.startsWith(mount)) {
        wrong.push("asks elsewhere: " + asked.href);
        return route.abort();
      }
      if (instead && asked.pathname.includes("/app/")) return route.fulfill(instead);
      asked.pathname = asked.pathname.slice(mount.length) || "/";
      return route.continue({ url: asked.href });
    });
    await page.goto(url);
  },
  // From now on the bridge's answers are this one; `null` ends that.
  async answer({ answer }) {
    instead = answer;
  },
  async click({ at }) {
    await page.click(at);
  },
  async fill({ at, text }) {
    await page.fill(at, text);
  },
  async press({ key }) {
    await page.keyboard.press(key);
  },
  async type({ text }) {
    await page.keyboard.type(text);
  },
  // What has the focus: its id, or the key that the page gave it.
  async focus() {
    return page.evaluate(() => document.activeElement.id || document.activeElement.dataset.key || document.activeElement.tagName);
  },
  // Waits until the first element that fits shows this text, and gives all of its text.
  async until({ at, text }) {
    const found = page.locator(at).filter({ hasText: text, visible: true }).first();
    await found.waitFor();
    return found.innerText();
  },
  async shows({ at }) {
    return page.locator(at).first().isVisible();
  },
  // What the page keeps of a text: in its markup, its address, or where browsers store things.
  async keeps({ text }) {
    return page.evaluate(async text => {
      const fields = [...document.querySelectorAll("input")].map(field => field.value);
      const kept = { markup: document.documentElement.outerHTML, fields: fields.join(), address: location.href,
        cookies: document.cookie, local: JSON.stringify(localStorage), session: JSON.stringify(sessionStorage),
        databases: JSON.stringify(await indexedDB.databases()), history: JSON.stringify(history.state) };
      return Object.keys(kept).filter(name => kept[name]?.includes(text));
    }, text);
  },
  // What the accessibility checker finds, in WCAG 2.2 AA and its own best practices.
  async axe() {
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run());
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(node => node.html).join(" ")}`);
  },
  // Whether the page is wider than the window.
  async overflows() {
    return page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  },
  async picture({ path }) {
    await page.screenshot({ path, fullPage: true });
  },
  async wrong() {
    return wrong;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { step, ...order } = JSON.parse(line);
  let answer;
  try {
    answer = { ok: (await steps[step](order)) ?? null };
  } catch (error) {
    answer = { error: error.message };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
await browser.close();
