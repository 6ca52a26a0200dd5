import { createServer, type RequestListener } from "node:http";
import type { Failure } from "../lib/failure";

/** Something that runs until it is closed. */
export interface Closeable {
    close(): Promise<void>;
}

/**
 * Serves HTTP on loopback.
 *
 * @param inUse error to throw when another program listens on the port
 */
export function serveOnLoopback(port: number, inUse: () => Failure, listener: RequestListener): Promise<Closeable> {
    const server = createServer(listener);
    return new Promise((resolve, reject) => {
        server.once("error", (error: NodeJS.ErrnoException) => reject(error.code === "EADDRINUSE" ? inUse() : error));
        server.listen(port, "127.0.0.1", () =>
            resolve({
                close: () =>
                    new Promise((done) => {
                        server.close(() => done());
                        server.closeAllConnections();
                    }),
            }),
        );
    });
}
