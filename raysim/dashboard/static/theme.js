// Light or dark: what the reader chose here before, else what the system has. Runs before anything is painted.
"use strict";
const chosen = localStorage.getItem("theme");
if (chosen) document.documentElement.dataset.theme = chosen;
