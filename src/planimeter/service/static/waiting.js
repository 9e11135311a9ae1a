// @ts-check
// Pictures that are still on their way: shown as such until they are there, or have failed.

for (const image of document.images) {
  if (image.complete) continue;
  image.classList.add("waits");
  for (const end of ["load", "error"]) {
    image.addEventListener(end, () => image.classList.remove("waits"), { once: true });
  }
}
