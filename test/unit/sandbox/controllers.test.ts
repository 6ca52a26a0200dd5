import { setTimeout } from "node:timers/promises";
import type { KubeObject } from "../../../sandbox/controllers/api";
import { runController } from "../../../sandbox/controllers/loop";
import { Store } from "../../../sandbox/controllers/store";

const resource = { apiVersion: "v1", kind: "ConfigMap", plural: "configmaps" };
const object = (name: string, resourceVersion: string, uid = "1"): KubeObject => ({
    metadata: { name, namespace: "web", resourceVersion, uid },
});

describe("a copy of the cluster's objects", () => {
    test("keeps the newest version, whichever way it came", () => {
        const store = new Store(resource);
        store.put(object("a", "9"));
        store.put(object("a", "10"));
        store.put(object("a", "9"));
        expect(store.get("web", "a")?.metadata?.resourceVersion).toBe("10");
        expect(store.get("web", "a")).toMatchObject({ apiVersion: "v1", kind: "ConfigMap" });
    });

    test("takes another object of the same name, and does not forget it for the one before", () => {
        const store = new Store(resource);
        store.put(object("a", "10", "1"));
        store.put(object("a", "11", "2"));
        store.remove(object("a", "12", "1"));
        expect(store.list()).toHaveLength(1);
        store.remove(object("a", "13", "2"));
        expect(store.list()).toHaveLength(0);
    });

    test("tells of changes only", () => {
        const store = new Store(resource);
        const listener = jest.fn();
        const stop = store.onChange(listener);
        store.replace([object("a", "1")]);
        store.put(object("a", "1"));
        store.put(object("a", "2"));
        stop();
        store.put(object("a", "3"));
        expect(listener).toHaveBeenCalledTimes(2);
    });
});

describe("a controller", () => {
    test("waits for what it reads, makes one pass for many changes, and never two at a time", async () => {
        const store = new Store(resource);
        let [passes, atOnce, most] = [0, 0, 0];
        const controller = {
            name: "test",
            reads: [store],
            pass: async () => {
                most = Math.max(most, ++atOnce);
                await setTimeout(30);
                atOnce--;
                passes++;
                return undefined;
            },
        };
        const running = runController(controller, () => {});
        await setTimeout(50);
        expect(passes).toBe(0);
        store.replace([]);
        for (let version = 1; version <= 50; version++) {
            store.put(object("a", String(version)));
        }
        await running.settled;
        store.put(object("a", "51"));
        await setTimeout(150);
        await running.close();
        expect([passes, most]).toEqual([2, 1]);
    });

    test("repeats a pass that failed, and says why", async () => {
        const store = new Store(resource);
        store.replace([]);
        const log = jest.fn();
        const pass = jest.fn(async (): Promise<undefined> => undefined);
        pass.mockRejectedValueOnce(new Error("no luck"));
        const running = runController({ name: "test", reads: [store], pass }, log);
        await running.settled;
        await running.close();
        expect(pass).toHaveBeenCalledTimes(2);
        expect(log.mock.calls).toEqual([["test: no luck"]]);
    });
});
