/** All that listens for one service on a node, kept in step with what its plan says. */

import type { Clock } from '@skep/core';
import { TargetPool } from '../balancer/target-pool.ts';
import { TcpBalancer } from '../balancer/tcp-balancer.ts';
import { UdpBalancer } from '../balancer/udp-balancer.ts';
import type { MeshProblem, MeshService } from '../data-plane.ts';
import { listenProblem } from './listen-problem.ts';
import type { ServiceListener, ServicePlan } from './service-listeners.ts';

/** Stops listening; connections that are there go on. */
interface Running {
  readonly balancer: TcpBalancer | UdpBalancer;
  update(listener: ServiceListener): void;
}

/** One service. */
export class ServiceFront {
  readonly #clock: Clock;
  readonly #pools = new Map<string, TargetPool>();
  readonly #running = new Map<string, Running>();
  readonly #problems = new Map<string, MeshProblem>();
  /** Balancers that take nothing new, and may have connections still. */
  readonly #draining = new Set<TcpBalancer>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get problems(): readonly MeshProblem[] {
    return [...this.#problems.values()];
  }

  /** Connections of ports that it has no more go on. */
  get isDraining(): boolean {
    return [...this.#draining].some(({ connections }) => connections > 0);
  }

  /** Has traffic go to the plan's targets alone, from now on. */
  takePools({ pools }: ServicePlan): void {
    const wanted = new Set(pools.map(({ key }) => key));
    for (const { key, targets, balance } of pools) {
      const pool = this.#pools.get(key) ?? new TargetPool(balance, this.#clock);
      pool.update(targets, balance);
      this.#pools.set(key, pool);
    }
    for (const [key, pool] of this.#pools) {
      if (wanted.has(key)) continue;
      pool.update([], 'round-robin');
      this.#pools.delete(key);
    }
  }

  /** Lets go of ports that the plan has no more. */
  release({ listeners }: Pick<ServicePlan, 'listeners'>): void {
    const wanted = new Set(listeners.map(({ key }) => key));
    for (const key of this.#problems.keys()) if (!wanted.has(key)) this.#problems.delete(key);
    for (const [key, { balancer }] of this.#running) {
      if (wanted.has(key)) continue;
      this.#running.delete(key);
      balancer.close();
      if (balancer instanceof TcpBalancer && balancer.connections > 0) this.#draining.add(balancer);
    }
    for (const each of this.#draining) if (each.connections === 0) this.#draining.delete(each);
  }

  /** Listens where it does not yet. What it can't have becomes a problem. */
  async open(service: MeshService, { listeners }: ServicePlan): Promise<void> {
    const cookieName = `skep-${service.name}`;
    for (const listener of listeners) {
      const running = this.#running.get(listener.key);
      if (running) {
        running.update(listener);
        continue;
      }
      try {
        const { protocol } = listener;
        const opened = await (protocol === 'tcp' ? this.#tcp(listener, cookieName) : this.#udp(listener));
        this.#running.set(listener.key, opened);
        this.#problems.delete(listener.key);
      } catch (error) {
        this.#problems.set(listener.key, listenProblem(service, listener, error));
      }
    }
  }

  /** Cuts everything off. */
  destroy(): void {
    for (const { balancer } of this.#running.values()) {
      if (balancer instanceof TcpBalancer) balancer.destroy();
      else balancer.close();
    }
    for (const balancer of this.#draining) balancer.destroy();
    this.#running.clear();
    this.#draining.clear();
    this.#problems.clear();
  }

  async #tcp(listener: ServiceListener, cookieName: string): Promise<Running> {
    const policyOf = ({ pool, proxyProtocol, stickiness }: ServiceListener) => ({
      pool: this.#pool(pool),
      cookieName,
      ...(proxyProtocol && { proxyProtocol }),
      ...(stickiness && { stickiness }),
    });
    const balancer = await TcpBalancer.listen(policyOf(listener), { ...listener, clock: this.#clock });
    return { balancer, update: (next) => balancer.setPolicy(policyOf(next)) };
  }

  async #udp(listener: ServiceListener): Promise<Running> {
    const policyOf = ({ pool, proxyProtocol, stickiness }: ServiceListener) => ({
      pool: this.#pool(pool),
      ...(proxyProtocol === 'v2' && { proxyProtocol }),
      ...(stickiness === 'client-address' && { stickiness }),
    });
    const balancer = await UdpBalancer.listen(policyOf(listener), { ...listener, clock: this.#clock });
    return { balancer, update: (next) => balancer.setPolicy(policyOf(next)) };
  }

  #pool(key: string): TargetPool {
    return this.#pools.get(key) ?? new TargetPool('round-robin', this.#clock);
  }
}
