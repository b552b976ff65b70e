// Asks what runs every few seconds, as long as somebody looks; the rest of the page is as it was when it was opened.
"use strict";
const jobs = document.getElementById("jobs");

async function refresh() {
  if (document.hidden || jobs.contains(document.activeElement)) return;
  const answer = await fetch(jobs.dataset.from, { cache: "no-store" });
  if (!answer.ok) return;
  const told = await answer.text();
  if (told !== jobs.innerHTML) jobs.innerHTML = told;
}

if (jobs) setInterval(() => refresh().catch(() => {}), 5000);
