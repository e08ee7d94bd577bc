"use strict";

// The page works without this file; with it, it reloads gently and its buttons do something.
const dialog = document.querySelector("dialog");
const token = document.getElementById("token");
const answer = document.getElementById("answer");
const errors = document.getElementById("errors");
const confirmButton = document.getElementById("confirm");
let asked = null;

for (const offers of document.querySelectorAll(".offers")) offers.hidden = false;

for (const button of document.querySelectorAll("button[data-action]")) {
  button.addEventListener("click", () => {
    asked = button.dataset;
    const reads = asked.action === "errors";
    const action = reads ? "Show" : asked.action[0].toUpperCase() + asked.action.slice(1);
    const question = reads
      ? ["Last errors of ", isolated(asked.site)]
      : [`${action} `, isolated(asked.database), " of ", isolated(asked.site), "?"];
    document.getElementById("question").replaceChildren(...question);
    consider(asked.consider?.split("\n") ?? []);
    if (asked.action === "pack") considerPack(asked);
    answer.textContent = "";
    errors.replaceChildren();
    confirmButton.textContent = action;
    confirmButton.disabled = false;
    dialog.showModal();
  });
}

dialog.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  confirmButton.disabled = true;
  answer.textContent = "Asking…";
  const ask = asked.action === "errors" ? lastErrors : begin;
  try {
    const { accepted, text } = await ask(asked, token.value);
    answer.textContent = text;
    confirmButton.disabled = accepted;
  } catch (error) {
    answer.textContent = `The exporter does not answer: ${error.message}`;
    confirmButton.disabled = false;
  }
});

document.getElementById("close").addEventListener("click", () => dialog.close());

// The token is in that field and nowhere else: closing the dialog forgets it.
dialog.addEventListener("close", () => {
  token.value = "";
  location.reload();
});

// A name that is written from right to left turns nothing around but itself.
function isolated(name) {
  const element = document.createElement("bdi");
  element.textContent = name;
  return element;
}

function consider(texts) {
  const items = texts.map((text) => {
    const item = document.createElement("li");
    item.append(isolated(text));
    return item;
  });
  document.getElementById("consider").replaceChildren(...items);
}

// What `zope-exporter plan pack` says; it looks at the disk, and is asked for when somebody wants it.
async function considerPack(about) {
  consider(["Looking at the database…"]);
  let texts;
  try {
    const wanted = new URLSearchParams({ site: about.site, database: about.database });
    const response = await fetch(`/-/plan/pack?${wanted}`, { signal: AbortSignal.timeout(20000) });
    if (!response.ok) throw new Error(`the exporter answers ${response.status}`);
    texts = (await response.json()).map(([name, text]) => `${name}: ${text}`);
  } catch (error) {
    texts = [`What a pack would do is not known: ${error.message}`];
  }
  if (asked === about) consider(texts);
}

async function begin({ action, site, database }, secret) {
  const response = await fetch(`/api/v1/actions/${action}`, {
    method: "POST",
    headers: { Authorization: `Bearer ${secret}`, "Content-Type": "application/json" },
    body: JSON.stringify({ site, database }),
  });
  if (response.status === 202) return { accepted: true, text: "Accepted. Close this to watch it." };
  return refusal(response);
}

async function lastErrors({ site }, secret) {
  const response = await fetch(`/api/v1/sites/${encodeURIComponent(site)}/errors`, {
    headers: { Authorization: `Bearer ${secret}` },
  });
  if (response.status !== 200) return refusal(response);
  const { logs } = await response.json();
  errors.replaceChildren(
    ...logs.flatMap(({ path, record, problem }) => {
      const [file, text] = ["dt", "dd"].map((name) => document.createElement(name));
      const shown = document.createElement(record === null ? "p" : "pre");
      file.textContent = path;
      shown.textContent = record ?? problem;
      if (record !== null) shown.tabIndex = 0; // what scrolls must be reached by keyboard
      text.append(shown);
      return [file, text];
    }),
  );
  return { accepted: false, text: "" };
}

async function refusal(response) {
  if (response.status === 401) return { accepted: false, text: "This is not a valid token." };
  return { accepted: false, text: `Refused: ${reason(await response.text())}.` };
}

// What stands between us and the exporter may refuse in other words than its own.
function reason(body) {
  try {
    return String(JSON.parse(body).error).slice(0, 500);
  } catch {
    return body.slice(0, 500);
  }
}

// The page reloads: what was typed is kept in its address, and nowhere else.
const filter = document.getElementById("filter");
if (filter) {
  const field = filter.querySelector("input");
  const address = new URL(location.href);
  const apply = () => {
    const wanted = field.value.trim().toLowerCase();
    for (const section of document.querySelectorAll("section.site")) {
      section.hidden = !section.dataset.name.toLowerCase().includes(wanted);
    }
    for (const item of document.querySelectorAll(".sites li")) {
      item.hidden = !item.textContent.toLowerCase().includes(wanted);
    }
  };
  filter.hidden = false;
  field.value = address.searchParams.get("filter") ?? "";
  field.addEventListener("input", () => {
    if (field.value) address.searchParams.set("filter", field.value);
    else address.searchParams.delete("filter");
    history.replaceState(null, "", address);
    apply();
  });
  apply();
}

const pause = Number(document.body.dataset.reload) * 1000;
setInterval(() => {
  const typing = document.activeElement?.matches("#filter input");
  if (!dialog.open && !typing) location.reload();
}, pause);
