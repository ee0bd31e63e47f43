/** Where the page is, as its address says behind the `#`: the moment that is looked at. It never reaches a server. */

const TOKEN = 'skep-token';

/** The moment in the address; undefined: the present. */
export function momentInAddress(): number | undefined {
  const at = new URLSearchParams(location.hash.slice(1)).get('at');
  const index = Number(at ?? 'none');
  return at !== '' && Number.isSafeInteger(index) && index >= 0 ? index : undefined;
}

/** Has the address name a moment, or none. */
export function putMoment(index: number | undefined): void {
  const fragment = index === undefined ? '' : `#at=${index}`;
  if (location.hash === fragment) return;
  history.replaceState(null, '', fragment === '' ? location.pathname + location.search : fragment);
}

/** The token for actions: out of `#token=…` once, which is then gone from the address, kept until the tab closes. */
export function takeToken(): string | undefined {
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (given !== null) {
    sessionStorage.setItem(TOKEN, given);
    putMoment(undefined);
  }
  return sessionStorage.getItem(TOKEN) ?? undefined;
}
