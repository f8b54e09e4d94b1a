# A module system in small, for comparison: nested options with types, defaults and descriptions; definitions of many
# files with their places; conditions, priorities and order; freeform mistakes told with their files; one fixpoint.
let
  inherit (builtins)
    all
    attrNames
    concatLists
    concatMap
    concatStringsSep
    elem
    filter
    foldl'
    groupBy
    head
    isAttrs
    isInt
    length
    listToAttrs
    map
    mapAttrs
    sort
    unsafeGetAttrPos
    ;

  isOption = value: isAttrs value && (value._type or "") == "option";
  kindOf = value: if isAttrs value then value._type or "" else "";

  # Conditions and merges at any level come down to the options below them.
  flatten =
    value:
    if kindOf value == "merge" then
      concatMap flatten value.contents
    else if kindOf value == "if" then
      (if value.condition then flatten value.content else [ ])
    else
      [ value ];

  # Every option of a tree, with its path.
  optionsIn =
    file: path: tree:
    concatMap (
      name:
      let
        member = tree.${name};
        here = path ++ [ name ];
      in
      if isOption member then
        [
          {
            inherit file;
            path = here;
            name = concatStringsSep "." here;
            option = member;
            at = unsafeGetAttrPos name tree;
          }
        ]
      else
        optionsIn file here member
    ) (attrNames tree);

  # Every definition of a tree, taken apart where options are declared.
  definitionsIn =
    known: file: path: value:
    concatMap (
      tree:
      concatMap (
        name:
        let
          here = path ++ [ name ];
          dotted = concatStringsSep "." here;
        in
        if known ? ${dotted} then
          [
            {
              inherit file;
              name = dotted;
              at = unsafeGetAttrPos name tree;
              value = tree.${name};
            }
          ]
        else if isAttrs tree.${name} then
          definitionsIn known file here tree.${name}
        else
          throw "The option `${dotted}' in `${file}' does not exist. Did you mean one of: ${
            concatStringsSep ", " (filter (other: head path == other) (attrNames known))
          }"
      ) (attrNames tree)
    ) (flatten value);

  withPriority =
    definition:
    if kindOf definition.value == "override" then
      definition
      // {
        inherit (definition.value) priority;
        value = definition.value.content;
      }
    else
      definition // { priority = 100; };

  withOrder =
    definition:
    if kindOf definition.value == "order" then
      definition
      // {
        inherit (definition.value) order;
        value = definition.value.content;
      }
    else
      definition // { order = 1000; };

  showDefinitions = concatMap (
    { file, at, ... }: [ "\n- In `${file}'${if at == null then "" else ", line ${toString at.line}"}" ]
  );

  mergeOption =
    { name, option, ... }:
    definitions:
    let
      # Only here, since which definitions there are must not depend on what they are.
      whole = concatMap (definition: map (value: definition // { inherit value; }) (flatten definition.value)) definitions;
      told = map withPriority whole;
      strongest = foldl' (lowest: { priority, ... }: if priority < lowest then priority else lowest) 9999 told;
      winning = map withOrder (filter ({ priority, ... }: priority == strongest) told);
      ordered = if length winning == 1 then winning else sort (a: b: a.order < b.order) winning;
      wrong = filter ({ value, ... }: !(option.type.check value)) ordered;
    in
    if whole == [ ] then
      option.default or (throw "The option `${name}' is used but not defined.")
    else if wrong != [ ] then
      throw "A definition for option `${name}' is not of type `${option.type.name}'. Definition values:${concatStringsSep "" (showDefinitions wrong)}"
    else if (option.readOnly or false) && length ordered > 1 then
      throw "The option `${name}' is read-only, but it's set multiple times:${concatStringsSep "" (showDefinitions ordered)}"
    else
      (option.apply or (value: value)) (option.type.merge name ordered);

  mergeEqual =
    name: definitions:
    let
      first = (head definitions).value;
    in
    if all ({ value, ... }: value == first) definitions then
      first
    else
      throw "The option `${name}' has conflicting definition values:${concatStringsSep "" (showDefinitions definitions)}";

  # The tree of values that options with their paths make.
  nest =
    depth: options:
    mapAttrs (
      _: members:
      if length (head members).path == depth + 1 then (head members).value else nest (depth + 1) members
    ) (groupBy ({ path, ... }: builtins.elemAt path depth) options);
in
rec {
  types.int = {
    name = "signed integer";
    check = isInt;
    merge = mergeEqual;
  };
  mkOption = attributes: attributes // { _type = "option"; };
  mkIf = condition: content: {
    _type = "if";
    inherit condition content;
  };
  mkMerge = contents: {
    _type = "merge";
    inherit contents;
  };
  mkOverride = priority: content: {
    _type = "override";
    inherit priority content;
  };
  mkOrder = order: content: {
    _type = "order";
    inherit order content;
  };

  evalModules =
    modules:
    let
      arguments = {
        inherit config mkOption types mkIf mkMerge mkOverride mkOrder;
      };
      collect =
        seen: files:
        concatMap (
          file:
          let
            module = (import file) arguments;
          in
          if elem file seen then
            [ ]
          else
            [
              {
                file = toString file;
                options = module.options or { };
                config = module.config or { };
              }
            ]
            ++ (if module ? imports then collect (seen ++ [ file ]) module.imports else [ ])
        ) files;
      collected = collect [ ] modules;
      options = concatMap (module: optionsIn module.file [ ] module.options) collected;
      byName = groupBy ({ name, ... }: name) options;
      twice = filter (name: length byName.${name} > 1) (attrNames byName);
      definitions = groupBy ({ name, ... }: name) (
        concatMap (module: definitionsIn byName module.file [ ] module.config) collected
      );
      config = nest 0 (map (option: option // { value = mergeOption option (definitions.${option.name} or [ ]); }) options);
    in
    if twice != [ ] then
      throw "The option `${head twice}' is already declared in `${(head byName.${head twice}).file}'."
    else
      config;
}
