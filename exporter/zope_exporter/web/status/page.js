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
    confirmButton.disabled = false;
    dialog.showModal();
  });
}

dialog.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  confirmButton.disabled = true;
  answer.textContent = "Asking…";
  answer.textContent = await request(asked, token.value);
  confirmButton.disabled = false;
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
    if (response.status === 202) return "Accepted. Close this to watch it.";
    if (response.status === 401) return "This is not a valid token.";
    return `Refused: ${(await response.text()).slice(0, 500)}`;
  } catch (error) {
    return `The exporter does not answer: ${error.message}`;
  }
}

const pause = Number(document.body.dataset.reload) * 1000;
setInterval(() => {
  if (!dialog.open) location.reload();
}, pause);
