# A module system for comparison, with the work that ours does and no more: modules from files, each once; declarations
# joined to one tree, those of equal type merged; conditions, priorities and orders of groups brought down to their
# options; a declared default as the weakest definition; the strongest definitions checked by type, ordered and merged;
# freeform names; submodules; what nobody declares told with its file and line; one fixpoint.
let
  inherit (builtins)
    addErrorContext
    all
    any
    attrNames
    attrValues
    concatLists
    concatMap
    concatStringsSep
    elem
    elemAt
    filter
    foldl'
    functionArgs
    genericClosure
    head
    intersectAttrs
    isAttrs
    isBool
    isFunction
    isInt
    isList
    isString
    length
    listToAttrs
    mapAttrs
    removeAttrs
    sort
    tail
    toString
    typeOf
    unsafeGetAttrPos
    zipAttrsWith
    ;

  markOf = value: if isAttrs value then value._type or "" else "";
  isOption = value: markOf value == "option";
  showPath = concatStringsSep ".";
  last = list: elemAt list (length list - 1);

  showPlace =
    { file, at, ... }: if at == null then "`${file}'" else "`${at.file}', line ${toString at.line}";
  showDefinitions = concatMap (definition: [ "\n- In ${showPlace definition}" ]);
  showAll = definitions: concatStringsSep "" (showDefinitions definitions);

  # --- modules ---------------------------------------------------------------------------------------------------------

  parts = [
    "_file"
    "config"
    "disabledModules"
    "freeformType"
    "imports"
    "key"
    "options"
  ];

  # A module in its whole form, from a file, a function or a set.
  load =
    arguments: module:
    let
      fromFile = !(isAttrs module || isFunction module);
      loaded = if fromFile then import module else module;
      # Which argument it was that could not be made is told.
      named = mapAttrs (
        name: _: addErrorContext "while making the argument `${name}' of a module:" arguments.${name}
      ) (intersectAttrs arguments (functionArgs loaded));
      made = if isFunction loaded then loaded (arguments // named) else loaded;
      file = made._file or (if fromFile then toString module else "<an expression>");
      isWhole = made ? config || made ? options;
      stray = attrNames (removeAttrs made parts);
    in
    if isWhole && stray != [ ] then
      throw "The module `${file}' has an unsupported attribute `${head stray}': move it into `config'."
    else
      {
        inherit file;
        key = made.key or file;
        imports = made.imports or [ ];
        disabled = made.disabledModules or [ ];
        options = made.options or { };
        config = if isWhole then made.config or { } else removeAttrs made parts;
        freeform = made.freeformType or null;
      };

  # All modules that a list brings in, each once, without those that are disabled and what only they import.
  collect =
    arguments: modules:
    let
      entries =
        prefix: list:
        builtins.genList (
          index:
          let
            module = load arguments (elemAt list index);
          in
          {
            key = if module.file == "<an expression>" then "${prefix}:${toString index}" else module.key;
            inherit module;
          }
        ) (length list);
      reach =
        isOut:
        genericClosure {
          startSet = filter (entry: !isOut entry) (entries "" modules);
          operator = { key, module }: filter (entry: !isOut entry) (entries key module.imports);
        };
      everything = reach (_: false);
      disabled = concatMap ({ module, ... }: map toString module.disabled) everything;
    in
    map ({ module, ... }: module) (
      if disabled == [ ] then everything else reach ({ key, ... }: elem key disabled)
    );

  # --- definitions -----------------------------------------------------------------------------------------------------

  # What is said of a group as a whole holds for each member.
  pushDown =
    value:
    let
      mark = markOf value;
      within = wrap: map (mapAttrs (_: wrap)) (pushDown value.content);
    in
    if mark == "merge" then
      concatMap pushDown value.contents
    else if mark == "if" then
      within (mkIf value.condition)
    else if mark == "override" then
      within (mkOverride value.priority)
    else if mark == "order" then
      within (mkOrder value.order)
    else
      [ value ];

  # The bare values of a definition whose conditions hold, with what they weigh.
  discharge =
    definition:
    let
      inherit (definition) value;
      mark = markOf value;
      inner = content: discharge (definition // { value = content; });
    in
    if mark == "merge" then
      concatMap inner value.contents
    else if mark == "if" then
      (if value.condition then inner value.content else [ ])
    else if mark == "override" then
      discharge (
        definition
        // {
          value = value.content;
          priority = definition.priority or value.priority;
        }
      )
    else if mark == "order" then
      discharge (
        definition
        // {
          value = value.content;
          order = definition.order or value.order;
        }
      )
    else
      [ definition ];

  priorityOf = definition: definition.priority or 100;
  orderOf = definition: definition.order or 1000;

  inOrder =
    definitions:
    if any (definition: definition ? order) definitions then
      sort (a: b: orderOf a < orderOf b) definitions
    else
      definitions;

  # Definitions of any weight: the strongest ones in their order, how strong these are, and the value that they make.
  weigh =
    path: type: definitions:
    let
      # Which ones hold is asked only with the value, since conditions may read other options.
      given = concatMap discharge definitions;
      priority = foldl' (
        lowest: definition:
        let
          own = priorityOf definition;
        in
        if own < lowest then own else lowest
      ) 9999 given;
      chosen = inOrder (filter (definition: priorityOf definition == priority) given);
      wrong = filter ({ value, ... }: !(type.check value)) chosen;
    in
    {
      inherit given chosen priority;
      isDefined = chosen != [ ];
      value =
        if chosen == [ ] then
          throw "The option `${showPath path}' is used but not defined."
        else if wrong != [ ] then
          throw "A definition for option `${showPath path}' is not of type `${type.name}':${showAll wrong}"
        else
          type.merge path chosen;
    };

  mergeDefinitions = path: type: definitions: (weigh path type definitions).value;

  # --- options ---------------------------------------------------------------------------------------------------------

  # One option from all its declarations.
  joinDeclarations =
    path: declarations:
    foldl' (
      known:
      { file, option }:
      let
        type = known.type.join option.type;
        twice = attrNames (intersectAttrs (removeAttrs option [ "_type" "type" ]) known);
      in
      if type == null || twice != [ ] then
        throw "The option `${showPath path}' in `${file}' is already declared in `${head known.declarations}'."
      else
        known
        // option
        // {
          inherit type;
          declarations = known.declarations ++ [ file ];
          places = known.places ++ [ (unsafeGetAttrPos "_type" option) ];
        }
    ) (
      (head declarations).option
      // {
        declarations = [ (head declarations).file ];
        places = [ (unsafeGetAttrPos "_type" (head declarations).option) ];
      }
    ) (tail declarations);

  # An option with its value, and all that can be asked about it: who declares it, who defines it, with which weight.
  evalOption =
    path: option: given:
    let
      weakest = {
        file = head option.declarations;
        at = null;
        value = mkOverride 1500 option.default;
      };
      weighed = weigh path option.type (if option ? default then [ weakest ] ++ given else given);
    in
    option
    // {
      inherit path;
      value = addErrorContext "while evaluating the option `${showPath path}':" (
        if option.readOnly or false && length weighed.given > 1 then
          throw "The option `${showPath path}' is read-only, but it's set multiple times:${showAll weighed.given}"
        else if option ? apply then
          option.apply weighed.value
        else
          weighed.value
      );
      inherit (weighed) isDefined priority;
      definitions = map ({ value, ... }: value) weighed.chosen;
      files = map ({ file, ... }: file) weighed.chosen;
      definitionsWithPlaces = map ({ file, at, value, ... }: { inherit file at value; }) weighed.chosen;
    };

  # The options of a group, and the definitions of names that nobody declares.
  evalGroup =
    path: declarations: definitions:
    let
      declared = zipAttrsWith (_: found: found) (
        map ({ file, options }: mapAttrs (_: option: { inherit file option; }) options) declarations
      );
      given = zipAttrsWith (_: found: found) (
        concatMap (
          { file, value, ... }:
          map (
            group:
            mapAttrs (name: value: {
              inherit file value;
              at = unsafeGetAttrPos name group;
            }) group
          ) (pushDown value)
        ) definitions
      );
      members = mapAttrs (
        name: found:
        let
          here = path ++ [ name ];
          own = given.${name} or [ ];
          options = filter ({ option, ... }: isOption option) found;
        in
        if options == [ ] then
          evalGroup here (map ({ file, option }: {
            inherit file;
            options = option;
          }) found) own
        else if length options < length found then
          throw "The option `${showPath here}' in `${(head options).file}' is a group of options elsewhere."
        else
          {
            options = evalOption here (joinDeclarations here found) own;
            unmatched = [ ];
          }
      ) declared;
      strays = attrNames (removeAttrs given (attrNames declared));
    in
    {
      options = mapAttrs (_: member: member.options) members;
      unmatched =
        concatMap (name: map (definition: definition // { path = path ++ [ name ]; }) given.${name}) strays
        ++ concatMap (member: member.unmatched) (attrValues members);
      names = attrNames declared;
    };

  valuesOf = mapAttrs (_: member: if isOption member then member.value else valuesOf member);

  # --- types -----------------------------------------------------------------------------------------------------------

  mkType =
    type:
    let
      self = {
        merge = mergeEqual;
        join = other: if other.name == type.name then self else null;
      } // type;
    in
    self;

  mergeEqual =
    path: definitions:
    let
      first = (head definitions).value;
    in
    if length definitions == 1 || all ({ value, ... }: value == first) (tail definitions) then
      first
    else
      throw "The option `${showPath path}' has conflicting definition values:${showAll definitions}";

  # A part of a definition keeps its place.
  part = definition: value: { inherit (definition) file at; inherit value; };

  types = rec {
    bool = mkType {
      name = "boolean";
      check = isBool;
    };
    int = mkType {
      name = "signed integer";
      check = isInt;
    };
    between =
      low: high:
      mkType {
        name = "integer between ${toString low} and ${toString high}";
        check = value: isInt value && value >= low && value <= high;
      };
    str = mkType {
      name = "string";
      check = isString;
    };
    lines = mkType {
      name = "strings concatenated with \"\\n\"";
      check = isString;
      merge = _: definitions: concatStringsSep "\n" (map ({ value, ... }: value) definitions);
    };
    enum =
      choices:
      mkType {
        name = "one of ${concatStringsSep ", " (map toString choices)}";
        check = value: elem value choices;
      };
    nullOr =
      inner:
      mkType {
        name = "null or ${inner.name}";
        check = value: value == null || inner.check value;
        merge =
          path: definitions:
          if any ({ value, ... }: value == null) definitions then
            mergeEqual path definitions
          else
            inner.merge path definitions;
      };
    listOf =
      element:
      mkType {
        name = "list of ${element.name}";
        check = isList;
        merge =
          path: definitions:
          concatMap (
            definition:
            map (value: mergeDefinitions (path ++ [ "*" ]) element (discharge (part definition value))) definition.value
          ) definitions;
      };
    attrsOf =
      element:
      mkType {
        name = "attribute set of ${element.name}";
        check = isAttrs;
        merge =
          path: definitions:
          let
            found = zipAttrsWith (_: concatLists) (
              map (definition: mapAttrs (_: value: discharge (part definition value)) definition.value) definitions
            );
            kept = filter (name: found.${name} != [ ]) (attrNames found);
          in
          listToAttrs (
            map (name: {
              inherit name;
              value = mergeDefinitions (path ++ [ name ]) element found.${name};
            }) kept
          );
      };
    submodule =
      module:
      let
        of =
          modules:
          mkType {
            name = "submodule";
            check = value: isAttrs value || isFunction value;
            merge =
              path: definitions:
              evalWith {
                inherit path;
                modules =
                  modules
                  ++ map ({ file, value, ... }: if isFunction value then value else { _file = file; config = value; }) definitions;
                arguments = {
                  name = last path;
                };
              };
            inherit modules;
            join = other: if other.name == "submodule" then of (modules ++ other.modules) else null;
          };
      in
      of [ module ];
    anything = mkType {
      name = "anything";
      check = _: true;
      merge =
        path: definitions:
        let
          kinds = map ({ value, ... }: typeOf value) definitions;
        in
        if all (kind: kind == "set") kinds then
          (attrsOf anything).merge path definitions
        else if all (kind: kind == "list") kinds then
          (listOf anything).merge path definitions
        else
          mergeEqual path definitions;
    };
  };

  # --- the configuration -----------------------------------------------------------------------------------------------

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

  evalWith =
    {
      modules,
      path ? [ ],
      arguments ? { },
    }:
    let
      given = arguments // {
        inherit
          config
          mkOption
          types
          mkIf
          mkMerge
          mkOverride
          mkOrder
          ;
        mkForce = mkOverride 50;
        mkDefault = mkOverride 1000;
        mkBefore = mkOrder 500;
        mkAfter = mkOrder 1500;
      };
      collected = collect given modules;
      group = evalGroup path (map (module: { inherit (module) file options; }) collected) (
        map (module: {
          inherit (module) file;
          at = null;
          value = module.config;
        }) collected
      );
      freeforms = filter ({ freeform, ... }: freeform != null) collected;
      stray = head group.unmatched;
      free = (types.attrsOf (head freeforms).freeform).merge path (
        map (definition: definition // { value = { ${last definition.path} = definition.value; }; }) group.unmatched
      );
      values = valuesOf group.options;
      config =
        if group.unmatched == [ ] then
          values
        else if freeforms != [ ] then
          free // values
        else
          throw "The option `${showPath stray.path}' does not exist. Definition in ${showPlace stray}. Did you mean one of: ${concatStringsSep ", " group.names}?";
    in
    config;
in
{
  inherit types mkOption;
  evalModules = modules: evalWith { inherit modules; };
}
