/** The console's only script: keeps the page fresh and sends what the buttons ask for. It needs no build. */
export const clientScript = `
const base = document.body.dataset.base;
const csrf = document.querySelector('meta[name="continuo-csrf"]').content;
const live = document.getElementById("live");
const toast = document.getElementById("toast");

const tell = (text) => {
  toast.textContent = text;
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => { toast.textContent = ""; }, 8000);
};

const localTimes = (root) => {
  for (const element of root.querySelectorAll("time")) {
    const date = new Date(element.dateTime);
    const isToday = date.toDateString() === new Date().toDateString();
    element.textContent = isToday ? date.toLocaleTimeString() : date.toLocaleString();
    element.title = element.dateTime;
  }
};

const refresh = async () => {
  const response = await fetch(location.href, { headers: { accept: "text/html" } });
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(part.id);
    if (next === null || part.contains(document.activeElement) && document.activeElement.matches("textarea, input")) continue;
    localTimes(next);
    for (const details of part.querySelectorAll("details[id]")) {
      const same = next.querySelector("#" + CSS.escape(details.id));
      if (same !== null) same.open = details.open;
    }
    if (next.innerHTML === part.innerHTML) continue;
    const focused = part.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
    part.innerHTML = next.innerHTML;
    if (focused !== undefined) part.querySelector('[data-key="' + CSS.escape(focused) + '"]')?.focus();
  }
};

// At most one refresh a second, and none while nobody looks.
let isWaiting = false;
let isStale = false;
const refreshSoon = () => {
  if (document.hidden) { isStale = true; return; }
  if (isWaiting) return;
  isWaiting = true;
  setTimeout(() => { isWaiting = false; refresh().catch(() => {}); }, 1000);
};
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && isStale) { isStale = false; refreshSoon(); }
});

if (document.querySelector("[data-live]") !== null) {
  const stream = new EventSource(base + "timeline/stream");
  stream.onopen = () => { live.className = "on"; live.textContent = "live"; refreshSoon(); };
  stream.onerror = () => { live.className = ""; live.textContent = "not connected"; };
  stream.addEventListener("entry", refreshSoon);
}

const send = async (method, path, body) => {
  const response = await fetch(base + "api" + path, {
    method,
    headers: { "content-type": "application/json", "x-continuo-csrf": csrf },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const reply = await response.json();
  if (!response.ok) throw new Error(reply.error?.message ?? "the console answered " + response.status);
  return reply;
};

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-path]");
  if (button === null) return;
  if (button.dataset.confirm !== undefined && !confirm(button.dataset.confirm)) return;
  button.disabled = true;
  try {
    const body = button.dataset.body === undefined ? undefined : JSON.parse(button.dataset.body);
    const reply = await send("POST", button.dataset.path, body);
    const decisions = (reply.decisions ?? []).map(({ what, reason }) => what + ": " + reason);
    tell(decisions.length === 0 ? "done" : decisions.join("\\n"));
    refreshSoon();
  } catch (error) {
    tell(error.message);
  } finally {
    button.disabled = false;
  }
});

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form[data-predict]");
  if (form === null) return;
  event.preventDefault();
  const output = form.querySelector("output");
  try {
    const given = JSON.parse(form.querySelector("textarea").value);
    const instances = Array.isArray(given) ? given : Array.isArray(given.instances) ? given.instances : [given];
    const reply = await send("POST", form.dataset.predict, { instances });
    output.textContent = "status " + reply.status + " in " + Math.round(reply.latencyMs) + " ms\\n" + JSON.stringify(reply.body, null, 2);
  } catch (error) {
    output.textContent = error.message;
  }
});

localTimes(document);
`;
