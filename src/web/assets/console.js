// The console's one script. Every page works without it; with it pages stay live, keys work and counters count.
"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const words = JSON.parse(document.body.dataset.words || "{}");
  const language = document.documentElement.lang;
  const csrf = $('meta[name="csrf"]')?.content ?? "";
  const fill = (text, ...values) => text.replace(/\{(\d)\}/g, (_, index) => values[index] ?? "");
  const counted = (text, number) => {
    const [one, other] = text.split("|");
    return fill(number === 1 || other === undefined ? one : other, new Intl.NumberFormat(language).format(number));
  };
  const later = (wait, action) => {
    let timer;
    return (...values) => { clearTimeout(timer); timer = setTimeout(() => action(...values), wait); };
  };
  // The server's clock: undo and relative times follow it, not a wrong clock of this machine.
  const ahead = Number(document.body.dataset.now || Date.now()) - Date.now();
  const now = () => Date.now() + ahead;

  // A notice told once does not come back with a reload.
  const here = new URL(location.href);
  if (here.searchParams.has("notice")) {
    here.searchParams.delete("notice");
    history.replaceState(null, "", here.pathname + here.search + here.hash);
  }

  // --- Times -------------------------------------------------------------------------------------------------------
  const relative = (at) => {
    const seconds = Math.trunc((at - now()) / 1000), far = Math.abs(seconds), future = seconds > 0;
    if (far < 45 && !future) return words.now;
    if (far < 60) return counted(future ? words.inSeconds : words.secondsAgo, far);
    if (far < 3600) return counted(future ? words.inMinutes : words.minutesAgo, Math.trunc(far / 60));
    if (far < 86400) return counted(future ? words.inHours : words.hoursAgo, Math.trunc(far / 3600));
    if (far < 604800) return counted(future ? words.inDays : words.daysAgo, Math.trunc(far / 86400));
    return null;
  };
  const tick = () => {
    for (const time of all("time[data-relative]")) {
      const text = relative(Date.parse(time.dateTime));
      if (text && time.textContent !== text) time.textContent = text;
    }
    for (const mark of all("[data-sends-at]")) {
      const left = Math.ceil((Number(mark.dataset.sendsAt) - now()) / 1000);
      const text = left > 0 ? fill(words.sendingIn, left) : words.sendingSoon;
      if (mark.textContent !== text) mark.textContent = text;
      const undo = mark.closest(".message")?.querySelector("[data-undo]");
      if (undo) undo.hidden = left <= 0;
    }
  };
  setInterval(tick, 1000);
  tick();

  // --- Live pages --------------------------------------------------------------------------------------------------
  const kinds = (document.body.dataset.live || "").split(" ").filter(Boolean);
  const lost = $("#live-lost");
  let source, lastEvent = "", waiting = false, again = false, away;

  const connect = () => {
    if (source || !kinds.length || document.hidden) return;
    source = new EventSource("/live?" + new URLSearchParams(lastEvent ? { after: lastEvent } : { since: document.body.dataset.now }));
    source.onopen = () => { clearTimeout(away); away = undefined; lost.hidden = true; document.body.dataset.connected = "yes"; };
    source.onerror = () => {
      delete document.body.dataset.connected;
      away ??= setTimeout(() => { lost.hidden = false; }, 3000);
      // A refused connection is not tried again by the browser itself.
      if (source.readyState === EventSource.CLOSED) { disconnect(); setTimeout(connect, 5000); }
    };
    const heard = (event) => {
      if (event.lastEventId) lastEvent = event.lastEventId;
      if (event.type === "reload" || kinds.includes(event.type)) refresh();
    };
    for (const kind of ["reload", "mark", ...kinds]) source.addEventListener(kind, heard);
  };
  const disconnect = () => { source?.close(); source = undefined; };
  // Hidden pages let go: a browser allows six connections to one host.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) disconnect();
    else { connect(); if (kinds.length) refresh(); }
  });

  const refresh = later(150, async () => {
    if (waiting) { again = true; return; }
    waiting = true;
    try {
      const answer = await fetch(location.pathname + location.search, { headers: { "x-refresh": "yes" }, cache: "no-store" });
      if (answer.ok && !answer.redirected) replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch { /* the connection's own state tells the person */ }
    waiting = false;
    if (again) { again = false; refresh(); }
  });

  const replace = (fresh) => {
    for (const part of all("[data-part]")) {
      const next = $(`[data-part="${part.dataset.part}"]`, fresh);
      if (!next) continue;
      if (part.dataset.part === "mentions") { renewMentions(part, next); continue; }
      // What a person is typing in, or has opened, is left alone.
      if (part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select")) continue;
      if (part.querySelector("details.pop[open], input[name=id]:checked")) continue;
      if (part.outerHTML !== next.outerHTML) {
        const open = all("details[open][id]", part).map((details) => details.id);
        part.replaceWith(next);
        for (const id of open) $("#" + CSS.escape(id))?.setAttribute("open", "");
      }
    }
    document.title = fresh.title;
    tick();
  };

  // --- Inbox -------------------------------------------------------------------------------------------------------
  const bar = $("#new-bar");
  const rows = () => all(".mention");
  const renewMentions = (list, next) => {
    if (list.tagName !== next.tagName) { list.replaceWith(next); return; }
    const known = new Map(all(".mention", list).map((row) => [row.id, row]));
    const first = all(".mention", list)[0];
    const arrived = [];
    const wanted = new Set();
    for (const row of all(".mention", next)) {
      wanted.add(row.id);
      const old = known.get(row.id);
      if (!old) arrived.push(row);
      else if (old.innerHTML !== row.innerHTML) {
        const chosen = old.classList.contains("chosen"), focused = old.contains(document.activeElement);
        old.className = row.className;
        old.classList.toggle("chosen", chosen);
        old.innerHTML = row.innerHTML;
        if (focused) $("a.open", old)?.focus({ preventScroll: true });
      }
    }
    // What no longer matches (done by a colleague, say) goes, unless the person stands on it.
    for (const [id, row] of known) {
      if (!wanted.has(id) && !row.classList.contains("chosen") && wanted.size < 50) row.remove();
    }
    const top = arrived.filter((row) => !first || row.compareDocumentPosition !== undefined);
    const quiet = scrollY < 80 && !$(".mention.chosen") && !$("details.pop[open]");
    if (!top.length) return;
    if (quiet) insert(list, top);
    else {
      bar.dataset.count = String(top.length);
      bar.textContent = counted(words.newMentions, top.length);
      bar.hidden = false;
      bar.onclick = () => { insert(list, top); bar.hidden = true; scrollTo({ top: 0, behavior: "smooth" }); };
    }
  };
  const insert = (list, arrived) => {
    for (const row of arrived.reverse()) {
      if (document.getElementById(row.id)) continue;
      row.classList.add("fresh");
      list.prepend(row);
    }
    const said = $("#live-said");
    if (said) said.textContent = counted(words.newMentions, arrived.length);
  };

  // --- Keyboard ----------------------------------------------------------------------------------------------------
  const help = $("#keys");
  const choose = (step) => {
    const list = rows();
    if (!list.length) return;
    const at = list.findIndex((row) => row.classList.contains("chosen"));
    const to = list[Math.max(0, Math.min(list.length - 1, at < 0 ? 0 : at + step))];
    list[at]?.classList.remove("chosen");
    to.classList.add("chosen");
    $("a.open", to).focus({ preventScroll: true });
    to.scrollIntoView({ block: "nearest" });
  };
  document.addEventListener("focusin", (event) => {
    const row = event.target.closest?.(".mention");
    if (!row) return;
    for (const other of all(".mention.chosen")) other.classList.toggle("chosen", other === row);
    row.classList.add("chosen");
  });
  const chosen = () => $(".mention.chosen");
  const setState = async (row, state) => {
    const body = new URLSearchParams({ state, csrf });
    const answer = await fetch(`/conversations/${row.dataset.conversation}/state`, { method: "POST", body, headers: { "x-csrf-token": csrf } });
    if (!answer.ok) return;
    const list = rows(), at = list.indexOf(row), next = list[at + 1] ?? list[at - 1];
    row.remove();
    if (next) { next.classList.add("chosen"); $("a.open", next).focus(); }
    refresh();
  };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches?.("input, textarea, select");
    if (typing) {
      if (event.key === "Escape") event.target.blur();
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.form) {
        event.preventDefault();
        event.target.form.requestSubmit();
      }
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      all("details.pop[open]").forEach((pop) => { pop.open = false; $("summary", pop)?.focus(); });
      return;
    }
    if (help?.open) return;
    const inConversation = $("#reply-text");
    const keys = {
      "?": () => help?.showModal(),
      "/": () => $('input[type="search"]')?.focus(),
      j: () => choose(1),
      k: () => choose(-1),
      r: () => { if (inConversation) inConversation.focus(); else if (chosen()) location.href = $("a.open", chosen()).href + "#reply-text"; },
      e: () => { const form = $("#done-form"); if (form) form.requestSubmit(); else if (chosen()) setState(chosen(), "done"); },
      s: () => {
        const menu = $("#snooze");
        if (menu) { menu.open = true; $(".item", menu)?.focus(); }
        else if (chosen()) location.href = $("a.open", chosen()).href + "#snooze";
      },
      u: () => { const back = $("a.back"); if (back) back.click(); },
    };
    const action = keys[event.key];
    if (action) { event.preventDefault(); action(); }
  });
  for (const button of all("[data-open-keys]")) button.addEventListener("click", () => help?.showModal());
  if (location.hash === "#reply-text") $("#reply-text")?.focus();
  if (location.hash === "#snooze" && $("#snooze")) { $("#snooze").open = true; $("#snooze .item")?.focus(); }

  // --- Menus -------------------------------------------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    for (const pop of all("details.pop[open]")) if (!pop.contains(event.target)) pop.open = false;
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
  });
  // A form with nothing in most of its fields makes a short address.
  for (const form of all("form[data-short]")) {
    form.addEventListener("submit", () => {
      for (const field of form.elements) if (field.name && field.value === "") field.disabled = true;
      setTimeout(() => { for (const field of form.elements) field.disabled = false; });
    });
  }
  // A double click is one request; the server would take the second for the same one anyway.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    setTimeout(() => { delete form.dataset.sent; }, 4000);
  });
  addEventListener("pageshow", () => { for (const form of all("form[data-sent]")) delete form.dataset.sent; });

  // --- Length, as the network counts it -----------------------------------------------------------------------------
  const show = (counter, length) => {
    const left = length.limit - length.used;
    counter.classList.toggle("over", left < 0);
    counter.classList.toggle("near", left >= 0 && left <= Math.max(20, length.limit * 0.05));
    counter.textContent = left < 0 ? counted(words.lengthOver, -left) : counted(words.lengthLeft, left);
    counter.title = fill(words.lengthCounter, length.used, length.limit);
    const meter = counter.closest("form, .preview")?.querySelector(`meter[data-account="${counter.dataset.account}"]`);
    if (meter) { meter.max = Math.max(length.limit, length.used); meter.high = length.limit; meter.low = length.limit * 0.95; meter.value = length.used; }
  };
  let asked = 0;
  const measure = later(180, async (field) => {
    const turn = ++asked;
    const counters = all("[data-counter]").filter((counter) => !counter.closest("[hidden]"));
    for (const counter of counters) {
      try {
        const body = new URLSearchParams({ account: counter.dataset.account, mention: field.dataset.mention ?? "", text: field.value, csrf });
        const answer = await fetch("/measure", { method: "POST", body, headers: { "x-csrf-token": csrf } });
        if (turn !== asked) return;
        if (answer.ok) show(counter, await answer.json());
      } catch { /* the server counts again when the form is sent */ }
    }
  });
  for (const field of all("textarea[data-measured]")) {
    const key = field.dataset.draft;
    if (key && !field.value) field.value = sessionStorage.getItem(key) ?? "";
    const grow = () => { field.style.height = "auto"; field.style.height = field.scrollHeight + 2 + "px"; };
    field.addEventListener("input", () => {
      measure(field);
      grow();
      if (key) sessionStorage.setItem(key, field.value);
      const preview = $("#preview-body");
      if (preview) preview.textContent = field.value || preview.dataset.empty;
    });
    field.form.addEventListener("submit", () => { if (key) sessionStorage.removeItem(key); });
    measure(field);
    if (field.value) field.dispatchEvent(new Event("input"));
  }

  // --- Many deliveries at once -------------------------------------------------------------------------------------
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-choose-all]")) return;
    for (const box of all("input[name=id]", event.target.form)) box.checked = event.target.checked;
  });

  // --- Scheduling --------------------------------------------------------------------------------------------------
  const accounts = all("input[data-post-account]");
  const accountsChanged = () => {
    for (const box of accounts) {
      for (const part of all(`[data-for-account="${box.value}"]`)) part.hidden = !box.checked;
    }
    const zone = accounts.find((box) => box.checked)?.dataset.zone;
    const told = $("#post-zone");
    if (told && zone) told.textContent = fill(told.dataset.text, zone);
    const field = $("textarea[data-measured]");
    if (field) measure(field);
  };
  for (const box of accounts) box.addEventListener("change", accountsChanged);
  for (const often of all("select[data-repeat]")) {
    const part = (name) => often.form.querySelector(`[${name}]`);
    const oftenChanged = () => {
      part("data-repeat-more").hidden = often.value === "";
      part("data-repeat-weekly").hidden = often.value !== "weekly";
      part("data-repeat-monthly").hidden = often.value !== "monthly";
    };
    often.addEventListener("change", oftenChanged);
    oftenChanged();
  }
  if (accounts.length) accountsChanged();

  connect();
})();
