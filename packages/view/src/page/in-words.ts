/** Times and amounts for people. */

export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

export function clockTime(at: number): string {
  const date = new Date(at);
  return `${date.toLocaleTimeString('en-GB')}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

export function dateTime(at: number): string {
  return at === 0 ? '' : `${new Date(at).toLocaleDateString('en-CA')} ${clockTime(at)}`;
}
