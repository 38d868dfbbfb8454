import type { App } from "@serverless-stack/resources";
import { NotesStack } from "./NotesStack";

export default function (app: App) {
  app.setDefaultFunctionProps({ runtime: "nodejs16.x", srcPath: ".", bundle: { format: "esm" } });
  if (app.stage !== "prod") app.setDefaultRemovalPolicy("destroy");
  app.stack(NotesStack);
}
