"use strict";

// The page works without this file; with it, it reloads gently and its buttons do something.
const dialog = document.querySelector("dialog");
const token = document.getElementById("token");
const answer = document.getElementById("answer");
const confirmButton = document.getElementById("confirm");
let asked = null;

for (const offers of document.querySelectorAll(".offers")) offers.hidden = false;

for (const button of document.querySelectorAll("button[data-action]")) {
  button.addEventListener("click", () => {
    asked = button.dataset;
    const action = asked.action[0].toUpperCase() + asked.action.slice(1);
    document
      .getElementById("question")
      .replaceChildren(`${action} `, isolated(asked.database), " of ", isolated(asked.site), "?");
    const considered = asked.consider.split("\n").map((text) => {
      const item = document.createElement("li");
      item.textContent = text;
      return item;
    });
    document.getElementById("consider").replaceChildren(...considered);
    answer.textContent = "";
    confirmButton.textContent = action;
    confirmButton.disabled = false;
    dialog.showModal();
  });
}

dialog.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  confirmButton.disabled = true;
  answer.textContent = "Asking…";
  const { accepted, text } = await request(asked, token.value);
  answer.textContent = text;
  confirmButton.disabled = accepted;
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

async function request({ action, site, database }, secret) {
  try {
    const response = await fetch(`/api/v1/actions/${action}`, {
      method: "POST",
      headers: { Authorization: `Bearer ${secret}`, "Content-Type": "application/json" },
      body: JSON.stringify({ site, database }),
    });
    if (response.status === 202) return { accepted: true, text: "Accepted. Close this to watch it." };
    if (response.status === 401) return { text: "This is not a valid token." };
    return { text: `Refused: ${reason(await response.text())}.` };
  } catch (error) {
    return { text: `The exporter does not answer: ${error.message}` };
  }
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
