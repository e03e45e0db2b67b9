// The desk's own behaviour: the viewer's zone, keys, and questions before large steps.
// Everything works without it; it only makes the hands faster.
(function () {
  "use strict";

  var zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone) {
    document.cookie =
      "viewer_zone=" + encodeURIComponent(zone) + ";path=/;max-age=31536000;samesite=lax";
  }

  function typing(element) {
    return (
      element &&
      (element.isContentEditable ||
        ["INPUT", "TEXTAREA", "SELECT"].indexOf(element.tagName) >= 0) &&
      ["radio", "checkbox", "submit", "button"].indexOf(element.type) < 0
    );
  }

  // A key presses the visible control that carries it in data-key.
  function press(key) {
    var controls = document.querySelectorAll("[data-key~='" + key + "']");
    for (var i = 0; i < controls.length; i += 1) {
      var control = controls[i];
      if (control.offsetParent === null && control.tagName !== "DIALOG") continue;
      if (control.hasAttribute("data-focus")) {
        control.focus();
        control.scrollIntoView({ block: "center" });
      } else {
        control.click();
      }
      return true;
    }
    return false;
  }

  // In a list of links, j and k move a mark up and down, Enter follows it.
  function move(step) {
    var rows = Array.prototype.slice.call(document.querySelectorAll("[data-row]"));
    if (!rows.length) return false;
    var at = rows.findIndex(function (row) { return row.classList.contains("is-current"); });
    var next = Math.min(rows.length - 1, Math.max(0, at + step));
    if (at >= 0) rows[at].classList.remove("is-current");
    rows[next].classList.add("is-current");
    rows[next].scrollIntoView({ block: "nearest" });
    return true;
  }

  // In the row that is marked, or the first one, a key presses what carries it in data-here.
  function pressHere(key) {
    var row =
      document.querySelector("[data-row].is-current") || document.querySelector("[data-row]");
    var control = row && row.querySelector("[data-here='" + key + "']");
    if (control) control.click();
    return !!control;
  }

  function help() {
    var box = document.getElementById("keys");
    if (!box) return false;
    if (box.open) box.close();
    else box.showModal();
    return true;
  }

  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && typing(document.activeElement)) {
      document.activeElement.blur();
      return;
    }
    if (typing(document.activeElement)) return;
    var done = false;
    if (event.key === "?") done = help();
    else if (event.key === "Enter") {
      var current = document.querySelector("[data-row].is-current [data-open]");
      if (current && document.activeElement === document.body) {
        current.click();
        done = true;
      }
    } else if (/^[a-z0-9]$/.test(event.key)) {
      done = press(event.key);
      if (!done) done = pressHere(event.key);
      if (!done && event.key === "j") done = move(1);
      if (!done && event.key === "k") done = move(-1);
    }
    if (done) event.preventDefault();
  });

  // data-reveal="id" shows a hidden part and puts the cursor into it.
  document.addEventListener("click", function (event) {
    var opener = event.target.closest("[data-reveal]");
    if (opener) {
      var part = document.getElementById(opener.getAttribute("data-reveal"));
      if (!part) return;
      event.preventDefault();
      part.hidden = !part.hidden;
      if (!part.hidden) {
        var field = part.querySelector("textarea, input:not([type=hidden]), select");
        if (field) field.focus();
        part.scrollIntoView({ block: "nearest" });
      }
      return;
    }
    if (event.target.closest("[data-keys]")) help();
    var closer = event.target.closest("[data-close]");
    if (closer) closer.closest("dialog").close();
    // data-copy="id" puts the words of a part into the clipboard.
    var copier = event.target.closest("[data-copy]");
    if (copier) copy(document.getElementById(copier.getAttribute("data-copy")), copier);
    // data-fill="id" puts the button's words into a field: reasons that are given often.
    var filler = event.target.closest("[data-fill]");
    if (filler) {
      var target = document.getElementById(filler.getAttribute("data-fill"));
      if (target) {
        target.value = filler.textContent.trim();
        target.focus();
      }
    }
  });

  // Where the clipboard is closed to us the words are marked, for the person to copy.
  function copy(part, button) {
    if (!part) return;
    function mark() {
      window.getSelection().selectAllChildren(part);
    }
    function told() {
      button.firstChild.textContent = "Copied ";
    }
    if (!navigator.clipboard) mark();
    else navigator.clipboard.writeText(part.textContent).then(told, mark);
  }

  // Tabs: one part of a page at a time. Without this script all parts are shown.
  function open(tabs, name) {
    document.querySelectorAll("[data-tab]").forEach(function (part) {
      part.hidden = part.id !== name;
    });
    tabs.querySelectorAll("a").forEach(function (link) {
      if (link.hash === "#" + name) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
  }

  document.addEventListener("DOMContentLoaded", function () {
    var tabs = document.querySelector("[data-tabs]");
    if (!tabs) return;
    var names = Array.prototype.map.call(tabs.querySelectorAll("a"), function (link) {
      return link.hash.slice(1);
    });
    var wanted = window.location.hash.slice(1);
    if (names.indexOf(wanted) < 0) {
      wanted = names.find(function (name) {
        var count = tabs.querySelector("a[href='#" + name + "'] .count");
        return count && count.textContent !== "0";
      }) || names[0];
    }
    open(tabs, wanted);
    tabs.addEventListener("click", function (event) {
      var link = event.target.closest("a");
      if (!link) return;
      event.preventDefault();
      open(tabs, link.hash.slice(1));
      window.history.replaceState(null, "", link.hash);
    });
  });

  // One decision, one click: a second press of the same form goes nowhere.
  document.addEventListener("submit", function (event) {
    var form = event.target;
    // What is chosen in another form goes along, so that saving an edit forgets nothing.
    var other = form.dataset.carry && document.getElementById(form.dataset.carry);
    if (other) {
      Array.prototype.forEach.call(other.elements, function (field) {
        if (field.type !== "radio" || !field.checked) return;
        var copy = document.createElement("input");
        copy.type = "hidden";
        copy.name = field.name;
        copy.value = field.value;
        form.appendChild(copy);
      });
    }
    if (!form.matches("[data-once]")) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    var button = event.submitter;
    if (button && button.dataset.busy && !event.defaultPrevented) {
      button.textContent = button.dataset.busy;
      button.setAttribute("aria-busy", "true");
    }
  });

  // The tone of the first message is the tone of the thread, until somebody chooses otherwise.
  document.addEventListener("change", function (event) {
    var radio = event.target.closest("input[data-tone]");
    if (!radio) return;
    if (!radio.hasAttribute("data-leads")) {
      radio.form.dataset["touched" + radio.name.replace(/\D/g, "")] = "yes";
      return;
    }
    document.querySelectorAll("input[data-tone]").forEach(function (other) {
      var touched = radio.form.dataset["touched" + other.name.replace(/\D/g, "")];
      if (other.dataset.tone === radio.dataset.tone && !touched) other.checked = true;
    });
  });

  // A step is headed by the subject of its chosen draft, and an answer in the thread goes out
  // under the subject of the first message that is chosen: what is read is what is sent.
  function subjects() {
    var lead = document.querySelector("input[data-leads]:checked");
    document.querySelectorAll("input[data-follows]").forEach(function (radio) {
      if (!lead || !lead.dataset.thread) return;
      radio.dataset.subject = "Re: " + lead.dataset.thread;
      write(radio.closest(".variant").querySelector("[data-line]"), radio.dataset.subject);
    });
    document.querySelectorAll("[data-subject-of]").forEach(function (head) {
      var chosen = document.querySelector("input[name='" + head.dataset.subjectOf + "']:checked");
      if (chosen) write(head, chosen.dataset.subject);
    });
  }

  function write(part, words) {
    if (part && part.textContent !== words) part.textContent = words;
  }

  document.addEventListener("change", function (event) {
    if (event.target.closest("input[data-tone]")) subjects();
  });
  // A browser may remember a choice over a reload.
  window.addEventListener("pageshow", subjects);

  // Choose all rows of a list at once, and show how many are chosen.
  document.addEventListener("change", function (event) {
    var all = event.target.closest("[data-all]");
    var scope = event.target.closest("form");
    if (!scope) return;
    if (all) {
      scope.querySelectorAll("[data-one]").forEach(function (box) { box.checked = all.checked; });
    }
    var counter = scope.querySelector("[data-chosen]");
    if (counter) {
      var chosen = scope.querySelectorAll("[data-one]:checked").length;
      counter.textContent = chosen;
      scope.querySelectorAll("[data-needs-choice]").forEach(function (part) {
        part.hidden = chosen === 0;
      });
    }
  });
})();
