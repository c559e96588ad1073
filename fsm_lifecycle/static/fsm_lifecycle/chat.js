/* The chat with an agent: follows the conversation's stream, and sends its forms without loading the page anew. Without
   this file the forms do the same, and the page loads itself anew while the agent is at work.

   Text that a model writes is only ever appended as a text node. Whole pieces come as HTML that the server's templates
   have escaped. Nothing is loaded from anywhere but this site. */
"use strict";
(() => {
  const chat = document.querySelector("[data-lifecycle-chat]");
  if (!chat) return;
  const find = (name) => chat.querySelector(`[data-${name}]`);
  const thread = chat.querySelector(".lc-thread");
  const composer = chat.querySelector(".lc-composer");
  const box = composer.querySelector("textarea");
  const end = document.getElementById("lc-end");
  const LOOK_AGAIN = 4000; // while nothing is at work
  let after = chat.dataset.after;
  let source = null;
  let timer = 0;

  /* Following */

  function follow() {
    clearTimeout(timer);
    if (!chat.dataset.stream) return;
    if (source) source.close();
    source = new EventSource(`${chat.dataset.stream}?after=${encodeURIComponent(after)}`);
    on("piece", place);
    on("text", write);
    on("state", stand);
    on("seen", () => {});
    on("rest", later);
    source.onerror = () => {
      // It comes back by itself unless it was refused, as when the session has ended.
      if (source.readyState === EventSource.CLOSED) later();
    };
  }

  function on(name, act) {
    source.addEventListener(name, (event) => {
      if (event.lastEventId) after = event.lastEventId;
      const atEnd = end.getBoundingClientRect().top < window.innerHeight + 60;
      act(JSON.parse(event.data));
      if (atEnd) end.scrollIntoView({block: "nearest"});
    });
  }

  function later() {
    source.close();
    clearTimeout(timer);
    timer = setTimeout(() => (document.hidden ? later() : follow()), LOOK_AGAIN);
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && source && source.readyState === EventSource.CLOSED) follow();
  });

  /* Drawing */

  function place({key, html}) {
    const made = document.createElement("template");
    made.innerHTML = html.trim();
    const fresh = made.content.firstElementChild;
    const old = document.getElementById(key);
    if (!old) {
      thread.append(fresh);
      chat.querySelector(".lc-empty")?.remove();
      return;
    }
    const hadFocus = old.contains(document.activeElement);
    const wasOpen = old.querySelector("details.lc-tool[open]");
    old.replaceWith(fresh);
    if (wasOpen) fresh.querySelector("details.lc-tool")?.setAttribute("open", "");
    if (hadFocus) {
      fresh.tabIndex = -1;
      fresh.focus();
    }
  }

  function write({key, text}) {
    document.getElementById(key)?.querySelector(".lc-said-text").append(text);
  }

  function stand(state) {
    find("working").hidden = !state.busy;
    find("working-text").textContent = state.doing;
    find("send").disabled = !state.over || box.disabled;
    say(find("first"), state.first);
    find("stop").hidden = state.over;
    find("bars").innerHTML = state.bars;
    if (find("now")) find("now").textContent = state.status;
    if (find("status").textContent !== state.said) find("status").textContent = state.said;
  }

  /* Sending */

  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("[data-live]");
    if (!form || !chat.contains(form)) return;
    event.preventDefault();
    const said = form.querySelector("[data-said]");
    const data = new FormData(form, event.submitter);
    for (const button of form.querySelectorAll("button")) button.disabled = true;
    say(said, "");
    try {
      const answer = await fetch(form.action, {method: "POST", body: data, headers: {Accept: "application/json"}});
      const told = await answer.json();
      if (told.go) return location.assign(told.go);
      if (!told.said && data.get("do") === "send") {
        box.value = "";
        end.scrollIntoView({block: "nearest"});
      }
      say(said, told.said);
    } catch {
      say(said, "It could not be sent. Look whether you are still logged in, and try again.");
    }
    for (const button of form.querySelectorAll("button")) button.disabled = false;
    if (form === composer) {
      find("send").disabled = !find("stop").hidden;
      box.focus();
    }
    follow();
  });

  function say(place, text) {
    place.textContent = text;
    place.hidden = !text;
  }

  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (!find("send").disabled && box.value.trim()) composer.requestSubmit(find("send"));
  });

  chat.addEventListener("click", (event) => {
    const example = event.target.closest("[data-example]");
    if (!example) return;
    event.preventDefault();
    box.value = example.textContent;
    box.focus();
  });

  // What a person has to decide comes first, else what was said last.
  if (thread.children.length) (find("waits") || end).scrollIntoView({block: find("waits") ? "end" : "nearest"});
  follow();
})();
