<resource schema="__system">
  <!-- ObsCore with the columns that ESO adds, so that queries for ESO run unchanged. -->
  <STREAM id="obscore-extrapars">
    <mixinPar name="dp_id">NULL</mixinPar>
    <mixinPar name="snr">NULL</mixinPar>
    <mixinPar name="proposal_id">NULL</mixinPar>
    <mixinPar name="obstech">NULL</mixinPar>
    <mixinPar name="multi_ob">NULL</mixinPar>
    <mixinPar name="p3orig">NULL</mixinPar>
    <mixinPar name="obs_release_date">NULL</mixinPar>
  </STREAM>

  <STREAM id="obscore-extraevents">
    <property name="obscoreClause" cumulate="True">
      ,
      CAST(\\dp_id AS text) AS dp_id,
      CAST(\\snr AS real) AS snr,
      CAST(\\proposal_id AS text) AS proposal_id,
      CAST(\\obstech AS text) AS obstech,
      CAST(\\multi_ob AS text) AS multi_ob,
      CAST(\\p3orig AS text) AS p3orig,
      CAST(\\obs_release_date AS text) AS obs_release_date
    </property>
  </STREAM>

  <STREAM id="obscore-extracolumns">
    <column name="dp_id" type="text" ucd="meta.id"
      description="Identifier of the data product"/>
    <column name="snr" type="real" ucd="stat.snr"
      description="Median signal-to-noise ratio"/>
    <column name="proposal_id" type="text" ucd="meta.id;obs.proposal"
      utype="obscore:Provenance.Proposal.identifier"
      description="Observing programme"/>
    <column name="obstech" type="text" ucd="meta.note"
      description="Observing technique"/>
    <column name="multi_ob" type="text" ucd="meta.code"
      description="Single or multiple observation blocks"/>
    <column name="p3orig" type="text" ucd="meta.note"
      description="Origin of the data product"/>
    <column name="obs_release_date" type="text" ucd="time.release"
      utype="obscore:Curation.releaseDate"
      description="When the data became public"/>
  </STREAM>
</resource>
