// What the pages do beyond plain HTML: saying lines and pressing buttons
// without leaving the page, completion, and new things as they happen.
// Text that comes from elsewhere is only ever set as text. New markup comes
// from our own pages, parsed by the browser as a document (its scripts never
// run), so that one set of templates draws everything.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const body = document.body;
  const room = body.dataset.room;
  const log = $("log");

  // Times: the reader's own zone on hover, and the zone told to the server.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && /^[A-Za-z0-9_+\/-]+$/.test(zone)) {
    document.cookie = "certmedic_zone=" + encodeURIComponent(zone) + "; path=/; max-age=31536000; SameSite=Strict";
  }
  const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
  function localTimes(root) {
    for (const t of root.querySelectorAll("time[datetime]")) {
      const at = new Date(t.dateTime);
      if (isNaN(at)) continue;
      const utc = t.dateTime.replace("T", " ").replace("Z", " UTC");
      t.title = utc + "\n" + local.format(at);
    }
  }
  localTimes(document);

  // page fetches one of our own pages as a document.
  function page(url) {
    return new Promise((resolve, reject) => {
      const x = new XMLHttpRequest();
      x.open("GET", url);
      x.responseType = "document";
      x.setRequestHeader("Accept", "text/html");
      x.onload = () => (x.status === 200 && x.response ? resolve(x.response) : reject(new Error("status " + x.status)));
      x.onerror = () => reject(new Error("not reached"));
      x.send();
    });
  }

  // post sends a form as our own script, and returns the Reply.
  async function post(form) {
    const r = await fetch(form.action, {
      method: "POST", body: new URLSearchParams(new FormData(form)), credentials: "same-origin",
      headers: { "X-Certmedic": "1", Accept: "application/json" },
    });
    return r.json();
  }

  function complain(text) {
    const said = $("said");
    if (said) said.textContent = text || "";
    else if (text) $("live").textContent = text;
  }

  // Whether the reader is at the end, where new lines are followed.
  const atEnd = () => window.innerHeight + window.scrollY >= document.documentElement.scrollHeight - 96;
  const toEnd = () => window.scrollTo(0, document.documentElement.scrollHeight);

  // The keyboard of a phone opens, or it is turned: the end stays in view.
  let end = true;
  if (log) {
    window.addEventListener("scroll", () => { end = atEnd(); }, { passive: true });
    window.addEventListener("resize", () => { if (end) toEnd(); });
  }

  // Forms.
  document.addEventListener("submit", async (e) => {
    const form = e.target;
    if (!form.matches("form.press, form.say, #say")) return;
    e.preventDefault();
    if (form.id === "say" && chosen()) return; // Enter takes the marked completion
    const as = form.elements.as;
    if (form.id !== "say" && as && !as.value && $("as")) as.value = $("as").value;
    if (form.classList.contains("press") && !as && $("as")) {
      if (!$("as").value) { complain("Fill in your name first."); $("as").focus(); return; }
      const hidden = document.createElement("input");
      hidden.type = "hidden"; hidden.name = "as"; hidden.value = $("as").value;
      form.append(hidden);
    }
    if (form.dataset.confirm && !(await sure(form))) return;
    const buttons = form.classList.contains("press") ? form.parentElement.querySelectorAll("button") : [];
    for (const b of buttons) b.disabled = true;
    const input = form.id === "say" ? $("text") : null;
    const line = input ? input.value : "";
    const sent = post(form);
    if (input) { remember(line); input.value = ""; close(); }
    complain("");
    let refused = false;
    try {
      const reply = await sent;
      const code = reply.problem && reply.problem.code;
      // What is not said in the room is said here.
      if (["used", "unknown_button", "unknown_message", "record", "stopping", "no_person", "bad_name", "empty", "too_long", "unknown_room", "old_page", "foreign_request", "token_needed"].includes(code)) {
        refused = true;
        complain(reply.problem.message + " " + reply.problem.hint);
        if (code === "no_person" && !$("as") && $("who")) { $("who").open = true; $("name").focus(); }
        if (input && !input.value) input.value = line;
      } else if ($("as")) {
        location.reload(); // the name is known now
        return;
      }
      if (!log && form.classList.contains("say") && !refused) location.href = form.elements.room.value === "main" ? "/" : "/room/" + encodeURIComponent(form.elements.room.value);
    } catch {
      complain("certmedic is not reached. The line is kept here; send it again.");
      if (input && !input.value) input.value = line;
    }
    for (const b of buttons) b.disabled = false;
  });

  // sure asks the question of a button that asks first.
  function sure(form) {
    return new Promise((resolve) => {
      const d = document.createElement("dialog");
      const p = document.createElement("p");
      p.textContent = form.dataset.confirm;
      p.id = "question";
      d.setAttribute("aria-labelledby", "question");
      const row = document.createElement("form");
      row.method = "dialog";
      row.className = "row";
      const label = form.querySelector("button").textContent;
      for (const [value, text, kind] of [["yes", label, "primary"], ["no", "No", ""]]) {
        const b = document.createElement("button");
        b.value = value; b.textContent = text; b.className = kind;
        row.append(b);
      }
      d.append(p, row);
      document.body.append(d);
      d.addEventListener("close", () => { resolve(d.returnValue === "yes"); d.remove(); });
      d.showModal();
    });
  }

  // The line: history with the arrows, completion with Tab and the arrows.
  const text = $("text"), choices = $("choices");
  let close = () => {}, remember = () => {}, chosen = () => false;
  if (text) {
    text.setAttribute("role", "combobox");
    text.setAttribute("aria-autocomplete", "list");
    text.setAttribute("aria-controls", "choices");
    text.setAttribute("aria-expanded", "false");
    let at = -1, asked = 0, timer = 0;
    const key = "certmedic-lines";
    let lines = [], back = 0;
    try { lines = JSON.parse(sessionStorage.getItem(key)) || []; } catch { lines = []; }
    back = lines.length;
    remember = (line) => {
      lines = lines.filter((l) => l !== line).concat(line).slice(-50);
      back = lines.length;
      try { sessionStorage.setItem(key, JSON.stringify(lines)); } catch { /* full or off */ }
    };
    close = () => {
      clearTimeout(timer); asked++;
      choices.hidden = true; choices.replaceChildren(); at = -1;
      text.setAttribute("aria-expanded", "false"); text.removeAttribute("aria-activedescendant");
    };
    const mark = (n) => {
      const all = choices.children;
      at = (n + all.length) % all.length;
      for (let i = 0; i < all.length; i++) all[i].setAttribute("aria-selected", i === at ? "true" : "false");
      text.setAttribute("aria-activedescendant", all[at].id);
      all[at].scrollIntoView({ block: "nearest" });
    };
    const take = (n) => {
      const line = choices.children[n].textContent;
      text.value = line + (line.endsWith(" ") ? "" : " ");
      close(); ask();
    };
    const ask = () => {
      clearTimeout(timer);
      const mine = ++asked;
      timer = setTimeout(async () => {
        const line = text.value;
        if (!line.startsWith("/")) { close(); return; }
        let found = [];
        try {
          const r = await fetch("/complete?room=" + encodeURIComponent(room) + "&line=" + encodeURIComponent(line), { credentials: "same-origin", headers: { Accept: "application/json" } });
          found = await r.json();
        } catch { return; }
        if (mine !== asked || !Array.isArray(found)) return;
        found = found.filter((f) => f.trim() !== line.trim());
        if (!found.length) { close(); return; }
        choices.replaceChildren(...found.map((f, i) => {
          const li = document.createElement("li");
          li.id = "choice-" + i; li.textContent = f;
          li.setAttribute("role", "option"); li.setAttribute("aria-selected", "false");
          li.addEventListener("mousedown", (e) => { e.preventDefault(); take(i); });
          return li;
        }));
        at = -1;
        choices.hidden = false;
        text.setAttribute("aria-expanded", "true");
      }, 60);
    };
    chosen = () => { const yes = !choices.hidden && at >= 0; if (yes) take(at); return yes; };
    text.addEventListener("input", ask);
    text.addEventListener("blur", close);
    text.addEventListener("keydown", (e) => {
      const open = !choices.hidden;
      if (e.isComposing) return;
      if (open && (e.key === "ArrowDown" || e.key === "ArrowUp")) {
        e.preventDefault();
        mark(e.key === "ArrowDown" ? at + 1 : at < 0 ? choices.children.length - 1 : at - 1);
      } else if (open && e.key === "Tab" && !e.shiftKey) {
        e.preventDefault(); take(Math.max(at, 0));
      } else if (open && e.key === "Escape") {
        e.preventDefault(); close();
      } else if (!open && e.key === "ArrowUp" && back > 0) {
        e.preventDefault(); text.value = lines[--back];
      } else if (!open && e.key === "ArrowDown" && back < lines.length) {
        e.preventDefault(); text.value = ++back < lines.length ? lines[back] : "";
      }
    });
  }

  // "/" goes to the line or the filter.
  document.addEventListener("keydown", (e) => {
    const to = text || $("q");
    if (e.key === "/" && to && !e.ctrlKey && !e.metaKey && !e.altKey && !(e.target.closest && e.target.closest("input, textarea, select"))) {
      to.focus();
      if (to === text && !text.value) { text.value = "/"; text.dispatchEvent(new Event("input")); }
      e.preventDefault();
    }
  });

  // A press is a down and an up on one element: nothing is moved or replaced
  // between the two, else it is lost, or falls on what has come to lie there.
  let down = null, up = () => {};
  document.addEventListener("pointerdown", () => {
    up();
    const mine = new Promise((go) => { up = () => { if (down === mine) down = null; go(); }; });
    down = mine;
    setTimeout(up, 5000); // the up may be none of ours to hear
  }, true);
  for (const kind of ["pointerup", "pointercancel", "blur"]) { // blur: the window's own
    window.addEventListener(kind, () => setTimeout(up, 0), kind !== "blur"); // after its click
  }

  // put brings one message of the room up to date.
  const waiting = new Map();
  async function put(id, rev) {
    const old = $(id);
    if (old && Number(old.dataset.rev) >= rev) return;
    const doc = await page("/message/" + encodeURIComponent(room) + "/" + encodeURIComponent(id));
    const found = doc.getElementById(id);
    if (!found) return;
    if (down) await down;
    const li = document.importNode(found, true);
    localTimes(li);
    const follow = atEnd();
    const now = $(id);
    if (now) {
      if (Number(now.dataset.rev) >= Number(li.dataset.rev)) return;
      keep(now, li, () => now.replaceWith(li));
    } else {
      li.classList.add("new");
      const seq = Number(li.dataset.seq);
      let after = log.lastElementChild;
      while (after && Number(after.dataset.seq) > seq) after = after.previousElementSibling;
      if (after) after.after(li); else log.prepend(li);
      while (log.children.length > 500) log.firstElementChild.remove();
    }
    if ($("empty")) $("empty").remove();
    if (follow) toEnd();
  }
  // One message is fetched once at a time; the last revision wins.
  function want(id, rev) {
    const busy = waiting.has(id);
    waiting.set(id, Math.max(rev, waiting.get(id) || 0));
    if (busy) return;
    (async () => {
      let done = 0, failed = 0;
      while (done < waiting.get(id) && failed < 8) {
        const next = waiting.get(id);
        try {
          await put(id, next);
          done = next; failed = 0;
        } catch { // the stream does not tell it again: it is fetched again, for a minute
          await new Promise((wait) => setTimeout(wait, 250 * 2 ** failed++));
        }
      }
      waiting.delete(id);
    })();
  }

  // keep replaces an element without losing the focus or what is folded open.
  function keep(old, next, swap) {
    for (const d of old.querySelectorAll("details[open]")) {
      const same = d.id && next.querySelector("#" + CSS.escape(d.id));
      if (same) same.open = true;
    }
    const can = "a[href], button, summary, input, [tabindex]";
    const focus = old.contains(document.activeElement) ? [...old.querySelectorAll(can)].indexOf(document.activeElement) : -1;
    swap();
    if (focus >= 0) {
      const to = next.querySelectorAll(can)[focus] || (text || $("main"));
      to.focus({ preventScroll: true });
    }
  }

  // refresh brings the parts marked data-live up to date from the same page.
  let refreshing = false, again = false;
  async function refresh() {
    if (refreshing) { again = true; return; }
    if (!document.querySelector("[data-live]")) return;
    refreshing = true;
    try {
      const doc = await page(location.href);
      if (down) await down;
      document.title = doc.title;
      for (const old of document.querySelectorAll("[data-live]")) {
        const found = doc.getElementById(old.id);
        if (!found) continue;
        const next = document.importNode(found, true);
        localTimes(next);
        if (next.textContent === old.textContent && next.childElementCount === old.childElementCount) continue;
        const have = new Set([...old.querySelectorAll("li.entry")].map((e) => e.id));
        for (const e of next.querySelectorAll("li.entry")) if (!have.has(e.id)) e.classList.add("new");
        keep(old, next, () => old.replaceWith(next));
      }
    } catch { /* the next one will do */ }
    refreshing = false;
    if (again) { again = false; later(); }
  }
  let soon = 0;
  const later = () => { clearTimeout(soon); soon = setTimeout(refresh, 400); };

  // Filters: as you type, with the words in the address.
  const q = $("q");
  if (q) {
    let t = 0;
    q.addEventListener("input", () => {
      clearTimeout(t);
      t = setTimeout(() => {
        const u = new URL(location.href);
        if (q.value.trim()) u.searchParams.set("q", q.value.trim()); else u.searchParams.delete("q");
        history.replaceState(null, "", u);
        refresh();
      }, 120);
    });
    $("filter").addEventListener("submit", (e) => e.preventDefault());
  }

  // The draft: copy it, and keep what is being written.
  const copy = $("copy");
  if (copy) {
    copy.hidden = false;
    copy.addEventListener("click", async () => {
      const said = $("copied");
      said.textContent = "";
      try {
        const r = await fetch(copy.dataset.copy, { credentials: "same-origin" });
        if (!r.ok) throw new Error("status " + r.status);
        const md = await r.text();
        try {
          await navigator.clipboard.writeText(md);
        } catch { // without TLS browsers have none
          const box = document.createElement("textarea");
          box.value = md; box.className = "only-read";
          document.body.append(box); box.select();
          const done = document.execCommand("copy");
          box.remove(); copy.focus();
          if (!done) throw new Error("not copied");
        }
        said.textContent = "Copied.";
      } catch { said.textContent = "It could not be copied; the link Markdown has the same text."; }
    });
    let sent = false;
    document.addEventListener("submit", () => { sent = true; });
    window.addEventListener("beforeunload", (e) => {
      if (!sent && [...document.querySelectorAll(".edit textarea")].some((t) => t.value !== t.defaultValue)) e.preventDefault();
    });
  }

  // Live: one stream of the room, which ends while the page is hidden for long.
  const live = $("live");
  let source = null, mark = log ? Number(log.dataset.mark) : -1, alive = 0, hidden = 0, lost = false;
  function open() {
    if (!live || source) return;
    source = new EventSource("/events?room=" + encodeURIComponent(room) + "&after=" + (mark < 0 ? "latest" : mark));
    alive = Date.now();
    source.onopen = () => { alive = Date.now(); live.textContent = "live"; if (lost) { lost = false; later(); } };
    source.onerror = () => {
      live.textContent = "reconnecting";
      lost = true;
      if (source && source.readyState === EventSource.CLOSED) { shut(); setTimeout(open, 3000); }
    };
    source.addEventListener("beat", () => { alive = Date.now(); });
    source.addEventListener("message", (e) => {
      alive = Date.now();
      const m = JSON.parse(e.data);
      mark = Math.max(mark, m.mark);
      if (log) want(m.id, m.rev);
      later();
    });
  }
  function shut() { if (source) source.close(); source = null; }
  setInterval(() => {
    if (source && Date.now() - alive > 45000) { shut(); open(); }
    if (!document.hidden) refresh();
  }, 30000);
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hidden);
    if (document.hidden) hidden = setTimeout(() => { shut(); live.textContent = "paused"; }, 120000);
    else { open(); refresh(); }
  });
  window.addEventListener("pagehide", shut);
  window.addEventListener("pageshow", open);
  open();
  if (log && !location.hash && log.childElementCount) toEnd();
})();
