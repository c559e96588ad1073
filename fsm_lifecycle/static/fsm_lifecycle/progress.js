/* Keeps what is under way up to date: fetches the page again and takes over what it says, and loads it anew when the
   work is over. Without this file the page loads itself anew by its own <meta>. */
"use strict";
(() => {
  const PAUSE = 1500;
  const places = () => document.querySelectorAll("[data-lifecycle-going]");

  async function look() {
    if (document.hidden) return wait();
    let fresh;
    try {
      const answer = await fetch(location.href, {credentials: "same-origin", cache: "no-store"});
      if (!answer.ok) return wait();
      fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelectorAll("[data-lifecycle-going]");
    } catch {
      return wait(); // the network may come back
    }
    const here = places();
    if (fresh.length !== here.length) return location.reload();
    here.forEach((place, number) => place.replaceChildren(...fresh[number].childNodes));
    wait();
  }

  function wait() {
    setTimeout(look, PAUSE);
  }

  if (places().length) wait();
})();
