/** What Go leaves out of JSON when it is empty. Undefined fields never reach the text. */

/** The list, or nothing when it is empty. */
export function filledList<T>(list: readonly T[] | undefined): readonly T[] | undefined {
  return list === undefined || list.length === 0 ? undefined : list;
}

/** The map, or nothing when it is empty. */
export function filledMap<T extends object>(map: T | undefined): T | undefined {
  return map === undefined || Object.keys(map).length === 0 ? undefined : map;
}

/** True, or nothing. */
export function ifTrue(flag: boolean | undefined): true | undefined {
  return flag === true ? true : undefined;
}
