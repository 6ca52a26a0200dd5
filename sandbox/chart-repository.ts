import { createReadStream } from "node:fs";
import { basename, join } from "node:path";
import { type Closeable, serveOnLoopback } from "./http-server";
import { portInUse } from "./settings";

/** Serves a folder of packaged charts with their index.yaml as an ordinary Helm repository. */
export function serveChartRepository(port: number, directory: string): Promise<Closeable> {
    return serveOnLoopback(
        port,
        () => portInUse(port, "hearth:charts.repository"),
        ({ url = "/" }, response) => {
            const file = basename(new URL(url, "http://localhost").pathname);
            if (!/^(index\.yaml|.+\.tgz)$/.test(file)) {
                response.writeHead(404).end();
                return;
            }
            createReadStream(join(directory, file))
                .once("error", () => response.writeHead(404).end())
                .pipe(response);
        },
    );
}
