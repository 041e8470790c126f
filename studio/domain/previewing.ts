/** Whether a dropped file is short enough to be decoded in the page; the others are shown as the server reads them. */

const LARGEST_BYTES = 120 * 1024 * 1024;
const LONGEST_SECONDS = 30 * 60;

/** `seconds` is what its container tells; null or infinite where that is not known. */
export function canPreview(bytes: number, seconds: number | null): boolean {
  return bytes <= LARGEST_BYTES && seconds !== null && seconds <= LONGEST_SECONDS;
}
