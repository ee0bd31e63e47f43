/**
 * Slots in the order of their keys: an array in pieces, as the leaves of a B-tree are, under one list of them. A slot
 * is put in and taken out at the cost of a search and a shift within one piece, and a walk in order is a walk along
 * arrays. Faster than a heap for what {@link CandidateOrder} does, since a node that was given a task goes from the
 * front far to the back: in a heap, that is the longest way there is.
 */

/** Most slots of a piece. */
const PIECE_MAX = 128;
/** A piece that has fewer is joined with its neighbour, if there is room in it. */
const PIECE_MIN = 32;

/** Its slots are those from `from` up to but without `to`. */
interface Piece {
  readonly keys: Float64Array;
  readonly slots: Int32Array;
  from: number;
  to: number;
}

/** Slots, each with a key that no other has. */
export class OrderedSlots {
  /** In order; none is empty. */
  readonly #pieces: Piece[] = [];
  /** By piece: a key that is not above those in it, and above those in the piece before. */
  readonly #bounds: number[] = [];
  #size = 0;

  /** Of slots in any order, all at once. */
  static of(slots: number[], keyOf: (slot: number) => number): OrderedSlots {
    const ordered = new OrderedSlots();
    slots.sort((a, b) => keyOf(a) - keyOf(b));
    // Pieces that are full would be split by the first slot that comes.
    const step = PIECE_MAX / 2;
    for (let first = 0; first < slots.length; first += step) {
      const piece = newPiece();
      for (const slot of slots.slice(first, first + step)) {
        piece.keys[piece.to] = keyOf(slot);
        piece.slots[piece.to] = slot;
        piece.to += 1;
      }
      ordered.#pieces.push(piece);
      ordered.#bounds.push(piece.keys[0] as number);
    }
    ordered.#size = slots.length;
    return ordered;
  }

  get size(): number {
    return this.#size;
  }

  insert(slot: number, key: number): void {
    this.#size += 1;
    if (this.#pieces.length === 0) {
      this.#pieces.push(newPiece());
      this.#bounds.push(key);
    }
    let at = this.#pieceOf(key);
    if (this.#makeRoom(at) && key >= (this.#bounds[at + 1] as number)) at += 1;
    const piece = this.#pieces[at] as Piece;
    const { keys, slots } = piece;
    let place = piece.to;
    for (; place > piece.from && (keys[place - 1] as number) > key; place--) {
      keys[place] = keys[place - 1] as number;
      slots[place] = slots[place - 1] as number;
    }
    keys[place] = key;
    slots[place] = slot;
    piece.to += 1;
    if (key < (this.#bounds[at] as number)) this.#bounds[at] = key;
  }

  /** Takes out the slot that was put in with this key. */
  remove(key: number): void {
    const at = this.#pieceOf(key);
    const piece = this.#pieces[at];
    if (piece === undefined) return;
    const { keys, slots, from } = piece;
    let place = piece.from;
    while (place < piece.to && (keys[place] as number) < key) place += 1;
    if (place === piece.to || keys[place] !== key) return;
    this.#size -= 1;
    // Whatever comes before moves up: mostly the first is taken out, and nothing does.
    for (; place > from; place--) {
      keys[place] = keys[place - 1] as number;
      slots[place] = slots[place - 1] as number;
    }
    piece.from += 1;
    if (piece.to - piece.from < PIECE_MIN) this.#join(at);
  }

  /** Goes along the slots from the first. Nothing may be put in or taken out meanwhile. */
  walk(): SlotWalk {
    return new SlotWalk(this.#pieces);
  }

  /** The last piece that begins at or before this key, or the first. */
  #pieceOf(key: number): number {
    const bounds = this.#bounds;
    let low = 0;
    let high = bounds.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((bounds[middle] as number) <= key) low = middle;
      else high = middle;
    }
    return low;
  }

  /** Sees to it that another slot goes in. @returns whether the piece was made two. */
  #makeRoom(at: number): boolean {
    const piece = this.#pieces[at] as Piece;
    if (piece.to < PIECE_MAX) return false;
    if (piece.from >= PIECE_MIN) {
      moveToFront(piece);
      return false;
    }
    const half = (piece.from + piece.to) >> 1;
    const next = newPiece();
    next.keys.set(piece.keys.subarray(half, piece.to));
    next.slots.set(piece.slots.subarray(half, piece.to));
    next.to = piece.to - half;
    piece.to = half;
    this.#pieces.splice(at + 1, 0, next);
    this.#bounds.splice(at + 1, 0, next.keys[0] as number);
    return true;
  }

  /** Joins a piece with the one behind it, or drops it when it is empty. */
  #join(at: number): void {
    const piece = this.#pieces[at] as Piece;
    const next = this.#pieces[at + 1];
    const length = piece.to - piece.from;
    if (length === 0) {
      this.#pieces.splice(at, 1);
      this.#bounds.splice(at, 1);
    } else if (next !== undefined && length + next.to - next.from <= PIECE_MAX - PIECE_MIN) {
      moveToFront(piece);
      piece.keys.set(next.keys.subarray(next.from, next.to), length);
      piece.slots.set(next.slots.subarray(next.from, next.to), length);
      piece.to = length + next.to - next.from;
      this.#pieces.splice(at + 1, 1);
      this.#bounds.splice(at + 1, 1);
    }
  }
}

/** A way along the slots. */
export class SlotWalk {
  readonly #pieces: readonly Piece[];
  #piece: Piece | undefined;
  #number = 0;
  #place = 0;

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces;
    this.#piece = pieces[0];
    this.#place = this.#piece?.from ?? 0;
  }

  /** The slot that comes next; -1: none does. */
  get slot(): number {
    return this.#piece === undefined ? -1 : (this.#piece.slots[this.#place] as number);
  }

  /** Passes it. */
  pass(): void {
    if (this.#piece === undefined) return;
    this.#place += 1;
    if (this.#place < this.#piece.to) return;
    this.#number += 1;
    this.#piece = this.#pieces[this.#number];
    this.#place = this.#piece?.from ?? 0;
  }
}

function newPiece(): Piece {
  return { keys: new Float64Array(PIECE_MAX), slots: new Int32Array(PIECE_MAX), from: 0, to: 0 };
}

function moveToFront(piece: Piece): void {
  piece.keys.copyWithin(0, piece.from, piece.to);
  piece.slots.copyWithin(0, piece.from, piece.to);
  piece.to -= piece.from;
  piece.from = 0;
}
