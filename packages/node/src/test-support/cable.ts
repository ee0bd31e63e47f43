/** A way to a manager that a test holds in its hands: it can be cut, or go dark, and come back. */

import { connect, createServer, type Socket } from 'node:net';

/** One end of a connection, and what was sent there and has not arrived. */
interface End {
  readonly socket: Socket;
  readonly waiting: Buffer[];
}

/** A relay of connections to one address. */
export class Cable implements Disposable {
  readonly #ends = new Set<End>();
  /** Connections that go on while new ones and those not among them are dark. */
  #spared: ReadonlySet<Socket> = new Set();
  readonly #server = createServer((near) => this.#join(near));
  readonly #onConnection: (() => void)[] = [];
  #isDark = false;
  target = { host: '', port: 0 };
  isCut = false;

  /** Where it is reached, `host:port`. */
  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const bound = this.#server.address();
    return `127.0.0.1:${typeof bound === 'object' ? bound?.port : ''}`;
  }

  /** Leads to this address, `host:port`, from now on. */
  leadTo(address: string): void {
    const [host = '', port] = address.split(':');
    this.target = { host, port: Number(port) };
  }

  /** The connections that there are, for {@link goDark} to spare. */
  get connections(): ReadonlySet<Socket> {
    return new Set([...this.#ends].map(({ socket }) => socket));
  }

  /** Calls back at each new connection. */
  onConnection(listener: () => void): void {
    this.#onConnection.push(listener);
  }

  /** Ends every connection, and refuses new ones while `isCut`. */
  cut(): void {
    this.isCut = true;
    for (const { socket } of this.#ends) socket.destroy();
  }

  /** Takes whatever is sent, and answers nothing: bytes wait, and new connections too. */
  goDark(spared: ReadonlySet<Socket> = new Set()): void {
    this.#isDark = true;
    this.#spared = spared;
  }

  /** What was sent meanwhile arrives, as it does when lost packets are sent again. */
  heal(): void {
    this.isCut = false;
    this.#isDark = false;
    for (const { socket, waiting } of this.#ends) for (const bytes of waiting.splice(0)) socket.write(bytes);
  }

  [Symbol.dispose](): void {
    this.cut();
    this.#server.close();
  }

  #join(near: Socket): void {
    for (const listener of this.#onConnection) listener();
    if (this.isCut) {
      near.destroy();
      return;
    }
    const far = connect(this.target);
    const ends: readonly [End, End] = [
      { socket: near, waiting: [] },
      { socket: far, waiting: [] },
    ];
    for (const [at, end] of ends.entries()) {
      const other = ends[1 - at] ?? end;
      this.#ends.add(end);
      end.socket.on('data', (bytes) => {
        if (this.#isDark && !this.#spared.has(near)) other.waiting.push(bytes);
        else other.socket.write(bytes);
      });
      end.socket.on('error', () => {});
      end.socket.on('close', () => {
        this.#ends.delete(end);
        other.socket.destroy();
      });
    }
  }
}
