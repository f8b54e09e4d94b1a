import { declare, defineModule, option, type Read, type Write } from "#floe/module";

const options = declare("services.motd", {
  enable: option.bool({ default: false, description: "Greet whoever logs in." }),
  greeting: option.str({ default: "Hello", description: "What is said, one line." }),
});

export interface Motd extends Read<typeof options> {}
export interface MotdDefs extends Write<typeof options> {}

declare module "#floe/module" {
  interface ServicesConfig {
    readonly motd: Motd;
  }
  interface ServicesDefs {
    motd?: MotdDefs;
  }
}

export default defineModule(options, ({ cfg, config, define }) => {
  if (!cfg.enable) return;
  define({ environment: { etc: { motd: { text: `${cfg.greeting}, this is ${config.system.name}\n` } } } });
});
