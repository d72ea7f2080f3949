/* Before the first paint: the theme and the zone of this browser, as cookies that the server reads. */
(function () {
  "use strict";
  var year = "; path=/; max-age=31536000; samesite=lax";
  var found = /(?:^|; )watchfloor_theme=(dark|light)/.exec(document.cookie);
  var light = window.matchMedia && window.matchMedia("(prefers-color-scheme: light)").matches;
  var theme = found ? found[1] : light ? "light" : "dark";
  if (!found) document.cookie = "watchfloor_theme=" + theme + year;
  document.documentElement.setAttribute("data-mantine-color-scheme", theme);
  var zone = "UTC";
  try { zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC"; } catch (e) { zone = "UTC"; }
  document.cookie = "watchfloor_zone=" + encodeURIComponent(zone) + year;
})();
