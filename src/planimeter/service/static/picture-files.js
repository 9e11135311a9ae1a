// @ts-check
// The files of a person: chosen, or dropped with their folders.

const PICTURE = /\.(jpe?g|png|webp|tiff?|bmp|gif|jp2|j2k|jpx|avif|hei[cf])$/i;

/** @param {File} file */
export function isPicture(file) {
  return file.type.startsWith("image/") || PICTURE.test(file.name);
}

/** @param {Element} input */
export function chosenFiles(input) {
  const { files } = /** @type {HTMLInputElement} */ (input);
  return [...(files ?? [])];
}

/**
 * All files that were dropped, those in folders too, in the order of their names.
 * @param {DataTransfer} carried
 * @returns {Promise<File[]>}
 */
export async function droppedFiles(carried) {
  // Both must be asked for at once: after the first pause the browser has forgotten what was dropped.
  const files = [...carried.files];
  const entries = [...carried.items].map((item) => item.webkitGetAsEntry?.());
  if (!entries.some((entry) => entry?.isDirectory)) return files;
  const found = await Promise.all(entries.map((entry) => (entry ? filesIn(entry) : [])));
  return found.flat();
}

/**
 * @param {FileSystemEntry} entry
 * @returns {Promise<File[]>}
 */
async function filesIn(entry) {
  if (entry.isFile) {
    const file = /** @type {FileSystemFileEntry} */ (entry);
    return [await new Promise((resolve, reject) => file.file(resolve, reject))];
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  /** @type {FileSystemEntry[]} */
  const inside = [];
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break; // browsers give a hundred at a time
    inside.push(...some);
  }
  inside.sort((one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }));
  const found = await Promise.all(inside.filter((each) => !each.name.startsWith(".")).map(filesIn));
  return found.flat();
}
